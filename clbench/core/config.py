"""The configuration of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clbench.core.errors import UserError
from clbench.core.scenario import Protocol
from clbench.core.types import Dtype, Placement, StreamKind, Tuning, WandbMode


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run. None takes the default of the scenario or the method.

    Attributes:
        scenario: Which stream of texts.
        baseline: Which method, by name or import path.
        arguments: The method's own arguments.
        tuned: Which of them a search chose: they do not make another method of it.
        encoder: Which pretrained encoder, by name or local directory.
        tuning: Which of its parameters train.
        joint: Train on all experiences at once: the upper bound.
        single: A fresh learner for each experience, which answers for that experience alone.
        experiences: Only the first so many experiences of the stream.
        split: The texts that accuracy is measured on.
        seed: Everything random follows from it.
        order: Order of the experiences: 0 as declared, or random:SEED.
        epochs: Passes over the training texts of each experience.
        batch_size: Texts per step.
        max_tokens: Longer texts are cut.
        samples_per_epoch: Texts drawn with replacement per epoch, instead of each once.
        train_per_class: At most this many training texts per class and experience.
        test_per_class: The same for validation and test texts.
        lr: Learning rate.
        weight_decay: Of AdamW.
        adapter_size: Width of the bottleneck adapters.
        adapter_placement: After attention and feed-forward part (houlsby), or the latter alone (pfeiffer).
        lora_rank: Rank of the low-rank updates.
        threads: Threads for torch; None leaves torch's choice.
        dtype: Precision of frozen encoders: auto is bfloat16 where that is fast, float32 elsewhere.
        data_dir: The folder of JSON lines, for scenarios that read one.
        generic_corpus: A folder of text for methods that read text of no scenario; None is wiki under
            data_dir, or else documentation that no scenario asks about.
        results: Where the result file goes.
        wandb: Logging to Weights & Biases: offline needs neither account nor network.
        wandb_project: The project that runs go to.
        wandb_entity: The user or team that it is of; None is the user's own default.
        wandb_group: What the run is part of: an experiment, by name; None is its scenario.
        checkpoint: Keep the learner after each experience until the run is done, to go on after a stop.
        cache_features: Compute frozen features once per text; without, batch by batch as they are needed.
    """

    scenario: str
    baseline: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tuned: tuple[str, ...] = ()
    encoder: str = "minilm"
    tuning: Tuning | None = None
    joint: bool = False
    single: bool = False
    experiences: int | None = None
    split: Literal["test", "validation"] = "test"
    seed: int = 0
    order: str = "0"
    epochs: int | None = None
    batch_size: int | None = None
    max_tokens: int | None = None
    samples_per_epoch: int | None = None
    train_per_class: int | None = None
    test_per_class: int | None = None
    lr: float | None = None
    weight_decay: float = 0.01
    adapter_size: int = 64
    adapter_placement: Placement = "houlsby"
    lora_rank: int = 8
    threads: int | None = None
    dtype: Dtype = "auto"
    data_dir: Path | None = None
    generic_corpus: Path | None = None
    results: Path = Path("runs")
    wandb: WandbMode = "disabled"
    wandb_project: str = "clbench"
    wandb_entity: str | None = None
    wandb_group: str | None = None
    checkpoint: bool = True
    cache_features: bool = True

    @property
    def stream_kind(self) -> StreamKind:
        """How the experiences become stages of training.

        Raises:
            UserError: ``joint`` and ``single`` are both set.
        """
        if self.joint and self.single:
            raise UserError("options joint and single exclude each other")
        return "joint" if self.joint else "single" if self.single else "sequential"

    def protocol(self, default: Protocol) -> Protocol:
        """The scenario's protocol with this run's overrides."""
        names = [each.name for each in dataclasses.fields(Protocol)]
        given = {name: value for name in names if (value := getattr(self, name, None)) is not None}
        return dataclasses.replace(default, **given)
