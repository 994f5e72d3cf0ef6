"""The state of each run of an experiment, and an estimate of the time that is left."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from clbench.core.config import RunConfig
from clbench.core.result import RunResult
from clbench.engine.build import Run, prepare
from clbench.engine.checkpoint import is_done

State = Literal["done", "failed", "stopped", "to run"]


@dataclass(frozen=True)
class Planned:
    """One run of an experiment.

    Attributes:
        name: Scenario, method, order and seed.
        state: The state of its result file; a stopped run resumes after its last finished experience.
        seconds: The time that a finished run took, or that another is expected to take; None if there is no
            similar finished run.
        error: The error of a failed run, in one line.
    """

    name: str
    state: State
    seconds: float | None
    error: str | None = None


def plan(configs: Sequence[RunConfig], each: Iterable[RunConfig] | None = None) -> list[Planned]:
    """The state of every run, in the given order.

    The expected time is the median of finished runs: of the same method and scenario, or else of the same
    scenario, or else of all.

    Args:
        configs: The runs.
        each: The same runs, wrapped in a progress bar.
    """
    found = [_look(prepare(config)) for config in (configs if each is None else each)]
    measured = [(keys, seconds) for keys, state, seconds, _, _ in found if state == "done" and seconds]
    planned = []
    for keys, state, seconds, name, error in found:
        expected = seconds if state == "done" else _expected(keys, measured)
        planned.append(Planned(name, state, expected, error))
    return planned


Keys = tuple[str, str]


def _look(run: Run) -> tuple[Keys, State, float | None, str, str | None]:
    config = run.result.config
    keys = (config["scenario"], config["method"])
    name = f"{config['scenario']} {config['method']} {run.path.stem}"
    if not run.path.exists():
        return keys, "to run", None, name, None
    result = RunResult.read(run.path)
    if is_done(run):
        return keys, "done", result.costs.get("wall_seconds"), name, None
    if result.status == "failed":
        return keys, "failed", None, name, result.error
    return keys, "stopped" if result.status == "running" else "to run", None, name, None


def _expected(keys: Keys, measured: Sequence[tuple[Keys, float]]) -> float | None:
    for fits in (lambda other: other == keys, lambda other: other[0] == keys[0], lambda other: True):
        fitting = [seconds for other, seconds in measured if fits(other)]
        if fitting:
            return statistics.median(fitting)
    return None
