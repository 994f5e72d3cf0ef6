"""What an experiment still has to do, and how long that will take by what was measured so far."""

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
        state: Of its result file; ``stopped`` goes on after its last finished experience.
        seconds: That it took, where it is done, and else that it is expected to take; None if nothing like it
            was measured.
        error: The line of a run that failed.
    """

    name: str
    state: State
    seconds: float | None
    error: str | None = None


def plan(configs: Sequence[RunConfig], each: Iterable[RunConfig] | None = None) -> list[Planned]:
    """The state of every run, in the given order.

    A run is expected to take the median of what finished runs of its method took on its scenario, or else of
    any method there, or else of all.

    Args:
        configs: The runs.
        each: The same, shown by a progress bar.
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
