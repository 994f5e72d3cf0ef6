"""The state of each run of an experiment, and an estimate of the time that is left."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
        scenario: Its scenario.
        method: Its method, as in the result file.
        place: Its order and seed.
        state: The state of its result file; a stopped run resumes after its last finished experience.
        seconds: The time that a finished run took, or that another is expected to take; None if there is no
            similar finished run.
        error: The error of a failed run, in one line.
    """

    scenario: str
    method: str
    place: str
    state: State
    seconds: float | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """Scenario, method, order and seed."""
        return f"{self.scenario} {self.method} {self.place}"


def plan(configs: Iterable[RunConfig]) -> list[Planned]:
    """The state of every run, in the given order.

    The expected time is the median of finished runs: of the same method and scenario, or else of the same
    scenario, or else of all.
    """
    found = [_look(prepare(config)) for config in configs]
    done = [each for each in found if each.state == "done" and each.seconds]
    return [each if each.state == "done" else replace(each, seconds=_expected(each, done)) for each in found]


def _look(run: Run) -> Planned:
    planned = Planned(run.result.config["scenario"], run.result.config["method"], run.path.stem, "to run")
    if not run.path.exists():
        return planned
    result = RunResult.read(run.path)
    if is_done(run):
        return replace(planned, state="done", seconds=result.costs.get("wall_seconds"))
    if result.status == "failed":
        return replace(planned, state="failed", error=result.error)
    return replace(planned, state="stopped") if result.status == "running" else planned


def _expected(wanted: Planned, done: Sequence[Planned]) -> float | None:
    in_scenario = [each for each in done if each.scenario == wanted.scenario]
    of_method = [each for each in in_scenario if each.method == wanted.method]
    fitting = [each.seconds for each in of_method or in_scenario or done if each.seconds is not None]
    return statistics.median(fitting) if fitting else None
