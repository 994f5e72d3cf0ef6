"""Scenarios as declared, experiences with their texts, and streams: the order of training.

A scenario lays all classes out as ``C`` output columns and says which of them each experience owns:
shared between experiences (domain-incremental), disjoint (class-incremental), or own per task
(task-incremental). ``task_aware`` says whether the experience is known at test time. Single-head
evaluation then uses no class mask; multi-head evaluation masks the logits to the columns of the example's
experience. One linear layer serves every scenario. A language model has one column, its next token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from clbench.core.data_source import DataSource
from clbench.core.drift import Drift
from clbench.core.ranges import Count, HeldOut, Tokens
from clbench.core.types import StreamKind, Task

if TYPE_CHECKING:
    from datasets import Dataset

Kind = Literal["class", "domain", "task", "language-model"]
NEXT_TOKEN = "next token"
"""The one output column of a scenario of kind ``language-model``, whose outputs are its model's tokens."""
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Protocol:
    """The training protocol of a scenario. The command line can override every field.

    Attributes:
        epochs: Passes over the training data of each experience, at most.
        patience: Stop an experience after this many epochs without a better accuracy on its validation texts,
            and restore the weights of the best epoch; None trains all epochs.
        batch_size: Examples per step.
        max_tokens: Longer texts are cut to this many tokens, special tokens included.
        samples_per_epoch: Examples drawn with replacement per epoch and experience; None trains on each
            example once.
        validation_share: Share of the training texts held out for validation if the data has no such split.
        train_per_class: Keep at most this many training texts of each class of each experience.
        test_per_class: The same for validation and test texts.
    """

    epochs: Count = 1
    patience: Count | None = None
    batch_size: Count = 16
    max_tokens: Tokens = 128
    samples_per_epoch: Count | None = None
    validation_share: HeldOut = 0.1
    train_per_class: Count | None = None
    test_per_class: Count | None = None


@dataclass(frozen=True)
class Part:
    """The texts of one experience: the rows of ``dataset`` with these labels (and this domain).

    Attributes:
        name: Of the experience.
        dataset: Where the texts are.
        labels: Of the texts.
        domain: Of the texts, if only those of one count.
        share: ``(k, n)`` takes, of the texts of each label, the k-th of n parts, counted from 0; None takes
            all.
        drift: What is done to the texts; None leaves them as they are.
    """

    name: str
    dataset: str
    labels: tuple[str, ...]
    domain: str | None = None
    share: tuple[int, int] | None = None
    drift: Drift | None = None


@dataclass(frozen=True)
class Version:
    """One published version of a dataset: texts per split, and a hash of all of them.

    Attributes:
        name: Its source.
        sizes: Texts per split.
        fingerprint: Of all its rows: see ``clbench.data.stream.table_fingerprint``.
    """

    name: str
    sizes: Mapping[str, int]
    fingerprint: str = ""


@dataclass(frozen=True)
class DatasetFacts:
    """The known facts of a dataset, which loaded texts are checked against.

    Attributes:
        citation: The work to cite.
        license: The terms under which the texts may be used.
        labels: All of its labels.
        versions: Its published versions.
        bibtex: Keys of ``clbench/core/citations.bib``.
    """

    citation: str
    license: str
    labels: tuple[str, ...]
    versions: tuple[Version, ...]
    bibtex: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """The declaration of a scenario, without its data.

    Attributes:
        name: What ``--scenario`` takes.
        title: One line for lists and tables.
        kind: ``class``: experiences have disjoint classes; ``domain``: they share all classes; ``task``: each
            has output columns of its own; ``language-model``: experiences are domains of text, and what is
            learned is the next token.
        parts: The experiences in their default order.
        task_aware: Whether the experience of a text is known at test time (multi-head).
        source: ``pydocs`` (built in) or ``folder`` (under ``--data-dir``, or in ``sources``).
        protocol: The defaults of training.
        citation: The work to cite for the data and the protocol.
        license: The terms under which the texts may be used.
        orders: Published orders of the experiences, by name; ``--order`` picks one by its number.
        class_orders: Published orders of the classes instead: each is divided into experiences of the sizes
            that ``parts`` have.
        datasets: Known facts of its datasets, by name; loaded data is checked against them.
        repeats: Whether classes may come back in a later experience.
        sources: Where its datasets are, by name, if that is not ``--data-dir``.
        classes: The class of each label of the data, where several labels make one class.
        subset: Whether texts with labels or domains of no experience are left out; else they are an error.
        bibtex: Keys of ``clbench/core/citations.bib``: the data, and the paper of the protocol.
        encoder_drift: The learning rate at which the frozen encoder is fine-tuned on each experience after
            it; None leaves the encoder as it is.
    """

    name: str
    title: str
    kind: Kind
    parts: tuple[Part, ...]
    task_aware: bool
    source: Literal["pydocs", "folder"]
    protocol: Protocol = field(default_factory=Protocol)
    citation: str = ""
    license: str = ""
    orders: tuple[tuple[str, ...], ...] = ()
    datasets: Mapping[str, DatasetFacts] = field(default_factory=dict)
    repeats: bool = False
    sources: Mapping[str, DataSource] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    subset: bool = False
    bibtex: tuple[str, ...] = ()
    class_orders: tuple[tuple[str, ...], ...] = ()
    encoder_drift: float | None = None

    def __post_init__(self) -> None:
        if self.encoder_drift is not None and self.kind == "language-model":
            raise ValueError("encoder_drift is for classes of texts, not for kind language-model")
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two experiences have the same name")
        total = sum(len(part.labels) for part in self.parts)
        if self.kind == "class" and not self.repeats and len(self.columns) != total:
            raise ValueError(f"{self.name}: a class-incremental scenario has each class in one experience")
        if self.kind == "domain" and any(set(self.owned(part)) != set(self.columns) for part in self.parts):
            raise ValueError(
                f"{self.name}: the experiences of a domain-incremental scenario share all classes"
            )
        for order in self.orders:
            if sorted(order) != sorted(names):
                raise ValueError(f"{self.name}: an order names other experiences than there are")
        for order in self.class_orders:
            if self.kind != "class" or sorted(order) != sorted(self.columns):
                raise ValueError(f"{self.name}: an order of classes names other classes than there are")

    @property
    def task(self) -> Task:
        """What is learned on it."""
        return "language-model" if self.kind == "language-model" else "classification"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the C output columns, in the default order of the experiences."""
        return tuple(dict.fromkeys(column for part in self.parts for column in self.owned(part)))

    def owned(self, part: Part) -> tuple[str, ...]:
        """The output columns of an experience."""
        return tuple(dict.fromkeys(self.column(part, label) for label in part.labels))

    def column(self, part: Part, label: str) -> str:
        """The output column of ``label`` in ``part``: tasks own theirs, other kinds share by class."""
        if self.kind == "language-model":
            return NEXT_TOKEN
        return f"{part.name}:{label}" if self.kind == "task" else self.classes.get(label, label)


@dataclass(frozen=True)
class Experience:
    """One unit of the stream, loaded: its texts and the columns that it owns.

    The datasets have the columns ``text`` (str), ``text_pair`` (str or None), ``column`` (int, the output
    column of the label) and ``experience`` (int, the index of the experience that the text belongs to).
    """

    index: int
    name: str
    columns: tuple[int, ...]
    splits: Mapping[str, Dataset]


@dataclass(frozen=True)
class Stage:
    """One unit of training, followed by an evaluation.

    Attributes:
        experience: What is trained on.
        evaluated: The indices of the experiences that this stage's learner is evaluated on.
        merged: How many experiences of the stream are in it.
        fresh: Whether training begins with the learner as it was before the first stage.
    """

    experience: Experience
    evaluated: tuple[int, ...]
    merged: int = 1
    fresh: bool = False


@dataclass(frozen=True)
class Stream:
    """A scenario with its data, in the order of one run.

    Attributes:
        scenario: What was declared.
        kind: How its experiences become stages: ``sequential``, one stage each; ``joint``, one stage with the
            texts of all; ``single``, one stage each, every one with a fresh learner that is
            evaluated on its own experience alone.
        experiences: T experiences in the order of this run.
        stages: What is trained on, in turn.
        fingerprint: A hash of every text and label in every split: two streams with equal
            fingerprints hold the same data, whatever their order.
        data: For each dataset, its known version, sizes, fingerprint, the number of test texts that are
            also training texts, and notes on how it was read and divided.
    """

    scenario: Scenario
    kind: StreamKind
    experiences: tuple[Experience, ...]
    stages: tuple[Stage, ...]
    fingerprint: str
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.experiences)

    def class_mask(self, index: int) -> list[bool]:
        """Which of the C columns are allowed for texts of experience ``index`` (training and evaluation)."""
        count = len(self.scenario.columns)
        if not self.scenario.task_aware:
            return [True] * count
        own = set(self.experiences[index].columns)
        return [column in own for column in range(count)]
