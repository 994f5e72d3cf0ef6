"""The contract of a baseline: what holds for every method, tuning and kind of scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import DataLoader

from clbench.core.batch import Batch
from clbench.core.result import RunResult
from clbench.data.datamodule import EncodedTexts, Reader, ScenarioDataModule
from clbench.engine.build import Run, prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.methods.learner import ContinualLearner
from clbench.models.frozen_prefix import FrozenPrefix
from clbench.testing.streams import SCENARIOS, write_texts

LEARNT = 0.7
"""The least accuracy on the test texts of one experience, of two classes, when it has just been learned."""
LEARNING_RATES = {"full": 1e-3, "adapter": 1e-2, "lora": 1e-2}
"""For streams of so few steps; frozen methods keep their own."""


class ContractError(AssertionError):
    """A baseline does something that it may not do."""


class GuardedDataModule(ScenarioDataModule):
    """Raises when anything reads texts that a learner may not see at that time.

    While a stage is learned, these are its own training texts and no others; test texts are read by the
    evaluation alone. What a method needs of the past must be in its memory.
    """

    _current: frozenset[tuple[str, str | None]] = frozenset()
    _evaluating = False

    def reader(self, stage: int | None = None) -> Reader:
        """The texts of a stage, which becomes the current one, or of the whole stream."""
        stages = self.stream.stages if stage is None else self.stream.stages[stage : stage + 1]
        self._current = frozenset().union(*(_rows(each.experience.splits["train"]) for each in stages))
        return super().reader(stage)

    def generic_reader(self, texts: Sequence[str]) -> Reader:
        """Text of no experience."""
        self._current = frozenset((text, None) for text in texts)
        return super().generic_reader(texts)

    def test_dataloader(self) -> list[DataLoader[int]]:
        """The test texts, for the evaluation."""
        self._evaluating = True
        try:
            return super().test_dataloader()
        finally:
            self._evaluating = False

    def texts(self, split: Dataset, prefix: FrozenPrefix | None) -> EncodedTexts:
        """Texts that may be read now."""
        if not self._evaluating and not _rows(split) <= self._current:
            raise ContractError("texts were read that are not the training texts of the current experience")
        return super().texts(split, prefix)


def _rows(split: Dataset) -> frozenset[tuple[str, str | None]]:
    columns = split[:]
    return frozenset(zip(columns["text"], columns["text_pair"], strict=True))


def check_baseline(
    baseline: str,
    folder: Path,
    *,
    kind: str = "class",
    tuning: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    lr: float | None = None,
    epochs: int | None = None,
) -> None:
    """Runs a baseline on a small stream and checks all that every baseline must keep.

    It learns an experience; reads nothing but the current experience's training texts; gives a text the
    same logits whatever else is in its batch; carries the same number of bytes after each experience; comes
    back from a checkpoint bit for bit; and, stopped in mid-stream, goes on to the same end.

    Args:
        baseline: A name or import path, as for ``--baseline``.
        folder: An empty folder to work in.
        kind: Of the scenario: a key of ``SCENARIOS``.
        tuning: The tuning; None is the method's own default.
        arguments: The method's arguments.
        lr: Learning rate; None is one that suits so short a stream.
        epochs: Passes over each experience; None is enough for most.

    Raises:
        ContractError: It does not; the message says what.
        UserError: The method refuses the tuning or the scenario.
    """
    write_texts(folder / "data")
    options = {
        "scenario": kind,
        "baseline": baseline,
        "arguments": dict(arguments or {}),
        "encoder": "tiny",
        "tuning": tuning,
        "lr": lr if lr is not None or tuning is None else LEARNING_RATES.get(tuning),
        "epochs": epochs,
        "threads": 1,
        "dtype": "float32",
        "data_dir": str(folder / "data"),
        "generic_corpus": str(folder / "data" / "general"),
    }

    def prepared(name: str) -> Run:
        return _guarded({**options, "results": str(folder / name)})

    carried: list[dict[str, int]] = []
    states: list[dict[str, Tensor]] = []

    def note(stage: int, _: RunResult) -> None:
        carried.append(whole.learner.carried_bytes())
        states.append({name: each.clone() for name, each in whole.learner.state_dict().items()})

    whole = prepared("whole")
    result = execute(whole, on_stage=note)
    learnt = result.accuracy[0][0]
    _require(learnt >= LEARNT, f"accuracy {learnt} on the one experience that was learned")
    _check_bytes(carried)
    batch = next(whole.data.reader(0).batches(8))
    expected = _logits(whole.learner, batch)
    _check_neighbors(whole.learner, batch, expected)

    fresh = prepared("loaded").learner
    fresh.load_state_dict(states[-1])
    _require(torch.equal(_logits(fresh, batch), expected), "a loaded checkpoint gives other logits")

    resumed = _stopped_and_resumed(prepared)
    for name, each in resumed.learner.state_dict().items():
        _require(torch.equal(each, states[-1][name]), f"stopped and resumed, {name} is different")
    same = resumed.result.confusion == result.confusion
    _require(same, "stopped and resumed, the predictions are different")


def _guarded(options: Mapping[str, Any]) -> Run:
    """A run whose data module raises when anything reads what it may not."""
    run = prepare(run_config(options), scenario=SCENARIOS[options["scenario"]])
    data = run.data
    run.data = GuardedDataModule(
        data.stream, data.encoder, data.protocol, cache=data.cache, seed=data.seed, meter=run.meter
    )
    return run


def _stopped_and_resumed(prepared: Any) -> Run:
    def stop(stage: int, _: RunResult) -> None:
        if stage == 0:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        execute(prepared("stopped"), on_stage=stop)
    run: Run = prepared("stopped")
    stages: list[int] = []
    execute(run, on_stage=lambda stage, _: stages.append(stage))
    _require(stages[0] == 1, "the stopped run began again from the start")
    return run


def _logits(learner: ContinualLearner, batch: Batch) -> Tensor:
    learner.eval()
    with torch.no_grad():
        logits: Tensor = learner(batch)
    return logits


def _check_neighbors(learner: ContinualLearner, batch: Batch, expected: Tensor) -> None:
    for at in range(len(batch)):
        length = int(batch.mask[at].sum())
        alone = Batch(
            batch.rows[at : at + 1, :length],
            batch.mask[at : at + 1, :length],
            *(getattr(batch, name)[at : at + 1] for name in ("targets", "class_mask", "experience")),
        )
        difference = float((_logits(learner, alone)[0] - expected[at]).abs().max())
        _require(difference <= 1e-5, f"logits of a text change by {difference} with the rest of its batch")


def _check_bytes(carried: list[dict[str, int]]) -> None:
    for each in carried:
        parts = sum(size for kind, size in each.items() if kind != "total")
        _require(each["total"] == parts > 0, f"bytes carried do not add up: {each}")
        _require(each == carried[0], f"bytes carried grow along the stream: {carried}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)
