"""The contract of a baseline: what holds for every method, tuning and kind of scenario."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.result import RunResult
from clbench.engine.build import Run, prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.methods.learner import ContinualLearner
from clbench.testing.guard import ContractError, GuardedDataModule
from clbench.testing.streams import SCENARIOS, write_texts

LEARNT = 0.7
"""The least accuracy on the test texts of one experience, of two classes, when it has just been learned."""
EPOCHS = 20
"""Passes over each experience: enough for the methods' own learning rates, of every tuning."""
State = dict[str, Tensor]


@dataclass(frozen=True)
class Reference:
    """A whole run of a baseline on a small stream, with what the checks compare it to.

    Attributes:
        build: Prepares the same run again, with its results in a folder of the given name.
        run: The run, executed.
        fresh: The learner of a second run, not trained.
        starts: The states of both learners before training.
        states: The state after each stage.
        carried: The bytes that the learner carries after each stage, by kind.
    """

    build: Callable[[str], Run]
    run: Run
    fresh: ContinualLearner
    starts: tuple[State, State]
    states: list[State]
    carried: list[dict[str, int]]

    def batch(self) -> Batch:
        """Eight training texts of the first experience."""
        return next(self.run.data.reader(0).batches(8))


def check_baseline(
    baseline: str,
    folder: Path,
    *,
    kind: str = "class",
    tuning: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    lr: float | None = None,
    adapter_size: int | None = None,
    epochs: int | None = None,
) -> None:
    """Runs a baseline on a small stream and applies all ``CHECKS``.

    Args:
        baseline: A name or import path, as for ``--baseline``.
        folder: An empty folder to work in.
        kind: The kind of scenario: a key of ``SCENARIOS``.
        tuning: The tuning; None is the method's default.
        arguments: The method's arguments.
        lr: Learning rate; None is the method's default.
        adapter_size: Width of adapters; None is the method's default.
        epochs: Passes over each experience; None is ``EPOCHS``. A larger learning rate needs fewer.

    Raises:
        ContractError: A check failed; the message says what is wrong.
        UserError: The method refuses the tuning or the scenario.
    """
    reference = reference_run(
        baseline,
        folder,
        kind=kind,
        tuning=tuning,
        arguments=arguments,
        lr=lr,
        adapter_size=adapter_size,
        epochs=epochs,
    )
    for check in CHECKS:
        check(reference)


def reference_run(
    baseline: str,
    folder: Path,
    *,
    kind: str = "class",
    tuning: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    lr: float | None = None,
    adapter_size: int | None = None,
    epochs: int | None = None,
    experiences: int | None = None,
) -> Reference:
    """Makes the run that the checks need: arguments as for ``check_baseline``, on the first ``experiences``.

    Raises:
        ContractError: The method read texts that it may not read.
        UserError: The method refuses the tuning or the scenario.
    """
    write_texts(folder / "data")
    options = {
        "scenario": kind,
        "baseline": baseline,
        "arguments": dict(arguments or {}),
        "encoder": "tiny",
        "tuning": tuning,
        "lr": lr,
        "adapter_size": adapter_size,
        "epochs": EPOCHS if epochs is None else epochs,
        "experiences": experiences,
        "threads": 1,
        "precision": "float32",
        "data_dir": str(folder / "data"),
        "generic_corpus": str(folder / "data" / "general"),
    }
    build = partial(_guarded, options, folder)
    run, fresh = build("whole"), build("fresh").learner
    reference = Reference(build, run, fresh, (_state(run.learner), _state(fresh)), [], [])

    def note(stage: int, _: RunResult) -> None:
        reference.states.append(_state(run.learner))
        reference.carried.append(run.learner.carried_bytes())

    execute(run, on_stage=note)
    return reference


# -- the checks ----------------------------------------------------------------------------------------


def check_construction(reference: Reference) -> None:
    """Two learners that are built for the same run are equal."""
    first, second = reference.starts
    different = _difference(first, second)
    _require(
        different is None,
        "the constructor is not deterministic: two learners built with the same seed differ in "
        f"{different}; draw from a generator that is seeded from context.seed",
    )


def check_learning(reference: Reference) -> None:
    """The first experience is learned."""
    accuracy = reference.run.result.accuracy[0][0]
    _require(accuracy >= LEARNT, f"accuracy {accuracy} on the one experience that was learned")


def check_bytes(reference: Reference) -> None:
    """The bytes carried are the same after each stage, and the sum of their kinds."""
    for each in reference.carried:
        parts = sum(size for kind, size in each.items() if kind != "total")
        _require(each["total"] == parts > 0, f"bytes carried do not add up: {each}")
        _require(each == reference.carried[0], f"bytes carried grow along the stream: {reference.carried}")


def check_neighbors(reference: Reference) -> None:
    """A text has the same logits whatever else is in its batch."""
    learner, batch = reference.run.learner, reference.batch()
    expected = _logits(learner, batch)
    for at, alone in enumerate(batch.split(1)):
        difference = float((_logits(learner, alone)[0] - expected[at]).abs().max())
        _require(difference <= 1e-5, f"logits of a text change by {difference} with the rest of its batch")


def check_checkpoint(reference: Reference) -> None:
    """A new learner with the final state gives the same logits, bit for bit."""
    learner, batch = reference.run.learner, reference.batch()
    reference.fresh.to(learner.device).load_state_dict(reference.states[-1])
    equal = torch.equal(_logits(reference.fresh, batch), _logits(learner, batch))
    _require(equal, "a loaded checkpoint gives other logits")


def check_resume(reference: Reference) -> None:
    """A run that was stopped after its first stage, and then within the second, goes on to the same end.

    Its first learner is freed with it: memory must not grow with the runs of a process.
    """
    stages: list[int] = []
    reports = itertools.count()

    def stop(stage: int, _: RunResult) -> None:
        if stage == 0:
            raise KeyboardInterrupt

    def stop_within(what: str, done: int, total: int) -> None:
        if what.endswith("step") and next(reports) == 1:  # saved at the report before
            raise KeyboardInterrupt

    def note(stage: int, _: RunResult) -> None:
        stages.append(stage)

    run = reference.build("stopped")
    learner = weakref.ref(run.learner)
    with suppress(KeyboardInterrupt):
        execute(run, on_stage=stop)
    del run
    _require(
        learner() is None,
        "a cycle of references or a global keeps the learner after its run",
    )
    run = reference.build("stopped")
    with suppress(KeyboardInterrupt):
        execute(run, on_stage=note, on_progress=stop_within)
    if run.result.status != "done":
        run = reference.build("stopped")
        execute(run, on_stage=note)
    _require(stages[0] == 1, "the stopped run began again from the start")
    different = _difference(_state(run.learner), reference.states[-1])
    _require(different is None, f"stopped and resumed, {different} is different")
    same = run.result.confusion == reference.run.result.confusion
    _require(same, "stopped and resumed, the predictions are different")


CHECKS: tuple[Callable[[Reference], None], ...] = (
    check_construction,
    check_learning,
    check_bytes,
    check_neighbors,
    check_checkpoint,
    check_resume,
)
"""All checks of the contract. That only texts of the current experience are read is checked by every run."""


def _guarded(options: Mapping[str, Any], folder: Path, name: str) -> Run:
    """A run whose data module raises when anything reads texts that it may not read."""
    often = {"checkpoint_minutes": 1e-9} if name == "stopped" else {}
    config = run_config({**options, "results": str(folder / name), **often})
    run = prepare(config, scenario=SCENARIOS[options["scenario"]])
    data = run.data
    given = data.stream, data.encoder, data.protocol, data.prefix
    run.data = GuardedDataModule(*given, cache=data.cache, seed=data.seed, meter=run.meter)
    return run


def _state(learner: ContinualLearner) -> State:
    return {name: each.clone() for name, each in learner.state_dict().items()}


def _difference(first: State, second: State) -> str | None:
    """The name of a tensor that is not the same in both."""
    for name in {**first, **second}:
        if name not in first or name not in second or not torch.equal(first[name], second[name]):
            return name
    return None


def _logits(learner: ContinualLearner, batch: Batch) -> Tensor:
    learner.eval()
    with torch.no_grad():
        logits: Tensor = learner(batch.to(learner.device))
    return logits


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)
