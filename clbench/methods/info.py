"""The facts about a method that hold in every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from clbench.core.types import TUNINGS, Family, Head, Task, Tuning

MemoryKind = Literal["weights", "keys", "values", "buffer", "statistics"]
MEMORY_KINDS: tuple[MemoryKind, ...] = get_args(MemoryKind)
SearchRange = tuple[float, float] | tuple[int, int] | tuple[str, ...]
"""The smallest and largest value, searched on a logarithmic scale, or the choices. Of integers, integers."""


def _default_lr() -> dict[Tuning | Literal["cnn"], float]:
    return {"full": 1e-4, "frozen": 1e-2, "cnn": 1e-3, "adapter": 1e-3, "lora": 1e-3, "prompt": 3e-2}


@dataclass(frozen=True)
class MethodInfo:
    """The facts about a method that do not depend on the scenario, the encoder or the seed.

    A class declares one as its attribute ``info``. Where a fact depends on constructor arguments, the
    constructor replaces it once: ``self.info = dataclasses.replace(self.info, ...)``. Write literal values,
    after ``dataclasses.replace(Base.info, ...)`` where methods share a base: ``clbench list`` then reads them
    without importing the module.

    Attributes:
        summary: What it does, in a few words.
        cost: What learning costs, in a few words: beside naive fine-tuning, or altogether without training.
        paper: Short citation, such as ``Kirkpatrick et al. 2017, arXiv 1612.00796``.
        bibtex: Keys of the papers in ``clbench/core/citations.bib``.
        family: The group of methods that it belongs to; figures color by family.
        tunings: The tunings that it works with; the first is its default.
        tasks: What it can learn: the classes of texts, next tokens of a language model, or both.
        default_lr: Learning rate for each tuning, and for tuning ``frozen`` with the head ``cnn``.
        adapter_size: Width of its adapters, with tuning ``adapter``.
        prompt_length: Vectors of its prompts, with tuning ``prompt``.
        gradient_free: Whether there are no training steps: everything is learned in ``end_experience``, in
            one pass.
        memory: What it carries beyond the network's trained weights: the kind of memory for each prefix of
            names in ``state_dict``. Where no prefix matches, parameters count as weights and buffers as
            statistics.
        search: What a hyperparameter search varies beside the learning rate: the range of each argument.
        search_needs: Values of arguments without which the search varies nothing of ``search``; None stands
            for the default.
        needs_task_id: Whether it works only where the experience of a text is known at test time.
        reads_at_start: The texts that ``begin_stream`` gets: the training texts of all experiences
            (``stream``: this sees the future), unlabeled text of no experience (``generic``), or none.
        deviations: How it differs from its paper where that may change results, one short sentence each.
        named_arguments: Arguments that ``variant`` already contains; every other argument is appended to the
            method's name where it is not the default.
        named_by_value: Arguments whose value alone is appended to the name where it is not the default:
            ``replay-frozen-per-class``.
        diagnostics: Prefixes of names in ``state_dict`` that only diagnostics need; their bytes do not count.
        name: What tables and figures call it, short, such as ``DER++``; by default the name of the class.
    """

    summary: str = ""
    cost: str = ""
    paper: str = ""
    bibtex: tuple[str, ...] = ()
    family: Family = "other"
    tunings: tuple[Tuning, ...] = TUNINGS
    tasks: tuple[Task, ...] = ("classification",)
    default_lr: Mapping[Tuning | Literal["cnn"], float] = field(default_factory=_default_lr)
    adapter_size: int = 64
    prompt_length: int = 10
    gradient_free: bool = False
    needs_task_id: bool = False
    memory: Mapping[str, MemoryKind] = field(default_factory=dict)
    search: Mapping[str, SearchRange] = field(default_factory=dict)
    search_needs: Mapping[str, str | None] = field(default_factory=dict)
    reads_at_start: Literal["stream", "generic"] | None = None
    deviations: tuple[str, ...] = ()
    named_arguments: tuple[str, ...] = ()
    named_by_value: tuple[str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    name: str = ""

    def lr(self, tuning: Tuning, head: Head) -> float:
        """The default learning rate; that of the tuning where the head has none of its own."""
        return self.default_lr.get("cnn" if head == "cnn" else tuning, self.default_lr[tuning])


def refused_task(name: str, task: Task) -> str:
    """The error of a method on a scenario that it cannot learn."""
    if task == "language-model":
        return f"{name} learns classes of texts; it has no form for a scenario of kind language-model"
    return f"{name} learns next tokens; it needs a scenario of kind language-model"
