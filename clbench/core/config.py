"""The configuration of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clbench.core.errors import UserError
from clbench.core.ranges import (
    Amount,
    Count,
    HeldOut,
    Label,
    Line,
    Order,
    Place,
    Positive,
    Seed,
    Size,
    Threads,
    Tokens,
    Weight,
)
from clbench.core.scenario import Protocol
from clbench.core.types import Head, Placement, Pooled, Precision, StreamKind, Tuning, WandbMode


@dataclass(frozen=True)
class Budget:
    """The budget of a hyperparameter search, and the stream that it takes place on.

    Attributes:
        trials: How many runs it makes.
        experiences: Experiences of a trial, the first ones of the stream; None takes all.
        order: Order of the experiences.
        seed: Seed of its runs, and of the values that it draws.
        train_per_class: The most training texts per class and experience of a trial; None takes those of the
            run.
    """

    trials: Count = 16
    experiences: Count | None = 3
    order: Order = "0"
    seed: Seed = 0
    train_per_class: Count | None = None


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run. None takes the default of the scenario or the method.

    Attributes:
        scenario: Name of a scenario, or path of its YAML file.
        baseline: Method, by name or import path.
        arguments: The method's own arguments.
        tune: The search that the learning rate and arguments come from, before it is done; None leaves them
            as they are.
        tuned: The learning rate and arguments, by name, as far as a search chose them; they do not change the
            method's name.
        search: What that search tried and chose, for the provenance.
        encoder: Pretrained encoder, by name or local directory.
        tuning: Which parameters of the encoder train; the default is the method's first one.
        joint: Train on all experiences at once.
        single: Train a fresh learner on each experience and evaluate it on that experience alone.
        experiences: Use only this many experiences, the first ones of the stream.
        split: Split that accuracy is measured on; ``validation`` leaves out training texts that are in it.
        seed: Seed of all random numbers.
        order: Order of the experiences: the number of a published order, 0 for the declared one where none
            is published; random:SEED permutes experiences, and classes:SEED all classes.
        epochs: Passes over the training texts of each experience.
        patience: Early stopping: stop an experience after this many epochs without a better accuracy on its
            validation texts, and restore the trainable weights of the best epoch; by default off.
        batch_size: Texts per training step.
        max_tokens: Tokens per text; longer texts are truncated.
        samples_per_epoch: Training texts per epoch, drawn with replacement; by default each text once.
        train_per_class: Maximum number of training texts per class and experience.
        validation_share: Share of the training texts of each class held out for validation where there is no
            such split; the default is 0.1.
        test_per_class: Maximum number of validation and of test texts per class and experience.
        lr: Learning rate; the default is the method's for its tuning.
        weight_decay: Weight decay of AdamW.
        adapter_size: Width of the bottleneck adapters; the default is the method's, in general 64.
        adapter_placement: Adapters after attention and feed-forward layers (houlsby), or after the latter
            alone (pfeiffer).
        lora_rank: Rank of the LoRA updates.
        prompt_length: Vectors of a soft prompt; the default is the method's, in general 10.
        threads: Threads for torch; the default is torch's own choice.
        precision: Precision in which encoders compute, trained ones under autocast; auto is bfloat16 on
            hardware that is fast with it, else float32.
        pooling: How the token states of a text become its features: their mean, the first one (cls) or
            the last one; for methods that train on one vector per text.
        head: What is trained on a frozen encoder: a linear layer on one vector per text, or a text CNN on its
            token states (cnn), as the rows "frozen" of PyContinual's table.
        data_dir: Folder of the datasets; the default is the environment variable CLBENCH_DATA.
        generic_corpus: Folder of text for methods that read unlabeled text of no scenario; the default is
            wiki in the folder of the datasets, or else built-in documentation.
        results: Folder for result files.
        wandb: Logging to Weights & Biases; offline needs no account and no network.
        wandb_project: W&B project of the run.
        wandb_entity: User or team of the project; the default is that of the W&B account.
        wandb_group: W&B group of the run; the default is its scenario.
        continuations: Test texts of each experience that a language model continues at the end, for ROUGE-L.
        checkpoint: Save the learner after each experience and within long ones, to continue a run that was
            stopped.
        checkpoint_minutes: Minutes of training on one experience after which the learner is saved again.
        cache_features: Compute frozen features once per text and keep them on disk.
    """

    scenario: Line
    baseline: Line
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tune: Budget | None = None
    tuned: tuple[str, ...] = ()
    search: Mapping[str, Any] | None = None
    encoder: Line = "minilm"
    tuning: Tuning | None = None
    joint: bool = False
    single: bool = False
    experiences: Count | None = None
    split: Literal["test", "validation"] = "test"
    seed: Seed = 0
    order: Order = "0"
    epochs: Count | None = None
    patience: Count | None = None
    batch_size: Count | None = None
    max_tokens: Tokens | None = None
    samples_per_epoch: Count | None = None
    train_per_class: Count | None = None
    test_per_class: Count | None = None
    validation_share: HeldOut | None = None
    lr: Positive | None = None
    weight_decay: Weight = 0.01
    adapter_size: Size | None = None
    adapter_placement: Placement = "houlsby"
    lora_rank: Size = 8
    prompt_length: Size | None = None
    threads: Threads | None = None
    precision: Precision = "auto"
    pooling: Pooled = "mean"
    head: Head = "linear"
    data_dir: Place | None = None
    generic_corpus: Place | None = None
    results: Place = Path("runs")
    wandb: WandbMode = "disabled"
    wandb_project: Label = "clbench"
    wandb_entity: Label | None = None
    wandb_group: Label | None = None
    continuations: Amount = 100
    checkpoint: bool = True
    checkpoint_minutes: Positive = 10.0
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
