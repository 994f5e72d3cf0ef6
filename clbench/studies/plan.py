"""The state of each run and search of an experiment, and an estimate of the time that is left."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clbench.core.config import RunConfig
from clbench.engine.recorded import Recorded
from clbench.engine.registry import baseline_class
from clbench.engine.resolved import tuning_of
from clbench.engine.shared import Shared
from clbench.studies.searches import Searches, distinct_searches

State = Literal["done", "failed", "stopped", "to run"]


@dataclass(frozen=True)
class Planned:
    """One run of an experiment, or one search.

    Attributes:
        scenario: Its scenario.
        method: Its method, as in the result file, or else with what was given for it.
        place: Its order and seed, or that it is a search.
        state: The state of its file; a stopped run resumes after its last finished experience, a search after
            its last finished trial.
        seconds: The time that a finished run took, or that another is expected to take; None if there is no
            similar finished run.
        error: The error of a failed run, in one line.
        kind: Equal for runs that differ in seed, order and scenario alone.
        search: Whether it is a search.
    """

    scenario: str
    method: str
    place: str
    state: State
    seconds: float | None = None
    error: str | None = None
    kind: str = ""
    search: bool = False

    @property
    def name(self) -> str:
        """Scenario, method, order and seed."""
        return f"{self.scenario} {self.method} {self.place}"


def plan(configs: Iterable[RunConfig]) -> list[Planned]:
    """The state of every search, and of every run in the given order.

    The expected time is the median of finished runs: of the same method and scenario, or else of the same
    scenario, or else of all. That of a search is the median of finished searches.
    """
    configs, shared = list(configs), Shared()
    recorded, searches = Recorded(shared), Searches(shared)
    found = [_look_for_search(shared, searches, config) for config in distinct_searches(configs)]
    found += [_look(shared, recorded, searches, config) for config in configs]
    done = [each for each in found if each.state == "done" and each.seconds]
    return [each if each.state == "done" else replace(each, seconds=_expected(each, done)) for each in found]


def _look_for_search(shared: Shared, searches: Searches, config: RunConfig) -> Planned:
    assert config.tune is not None
    place = f"search of {config.tune.trials} trials"
    planned = replace(_named(shared, config), place=place, search=True)
    if (found := searches.find(config)) is None:
        return planned
    _, record = found
    seconds = sum(each.seconds for each in record.trials)
    return (
        replace(planned, state="done", seconds=seconds) if record.done else replace(planned, state="stopped")
    )


def _named(shared: Shared, config: RunConfig) -> Planned:
    """A run without a result file."""
    baseline, tuning = baseline_class(config.baseline), tuning_of(config)
    parts = [baseline.__name__.lower(), *([tuning] if len(baseline.info.tunings) > 1 else [])]
    given = dict(config.arguments) | ({} if config.lr is None else {"lr": config.lr})
    parts += [f"{name}={value}" for name, value in given.items() if name not in config.tuned]
    method = "-".join(parts if config.stream_kind == "sequential" else [*parts, config.stream_kind])
    place = f"order{config.order.replace(':', '-')}-seed{config.seed}"
    scenario = shared.scenario(config.scenario).name
    return Planned(scenario, method, place, "to run", kind=f"{config.baseline} {method}")


def _look(shared: Shared, recorded: Recorded, searches: Searches, config: RunConfig) -> Planned:
    planned = _named(shared, config)
    if config.tune is not None:
        search = searches.find(config)
        if search is None or not search[1].done:
            return planned
        config = search[1].chosen(config)
    record = recorded.find(config)
    if record is None:
        return planned
    result = record.result
    planned = replace(planned, method=result.config["method"])
    if record.done:
        return replace(planned, state="done", seconds=result.costs.get("wall_seconds"))
    if result.status == "failed":
        return replace(planned, state="failed", error=result.error)
    return replace(planned, state="stopped") if result.status == "running" else planned


def _expected(wanted: Planned, done: Sequence[Planned]) -> float | None:
    done = [each for each in done if each.search == wanted.search]
    in_scenario = [each for each in done if each.scenario == wanted.scenario]
    of_method = [each for each in in_scenario if each.kind == wanted.kind]
    fitting = [each.seconds for each in of_method or in_scenario or done if each.seconds is not None]
    return statistics.median(fitting) if fitting else None
