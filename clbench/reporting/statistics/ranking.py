"""Average ranks of methods over the scenarios in which all of them have finished runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clbench.reporting.load import PANEL
from clbench.reporting.statistics.across import Estimate, ranks
from clbench.reporting.statistics.intervals import DRAWS, LEAST_RUNS, percentiles, run_weights

SCORE = "metrics.average_accuracy"
Scores = Mapping[str, Mapping[Any, pd.DataFrame]]
"""The finished runs of each method on each task."""


def average_ranks(frame: pd.DataFrame, generator: np.random.Generator | None = None) -> pd.DataFrame:
    """The rank of each method by mean average accuracy, mean over scenarios, the best first.

    Ranked are the methods with finished runs in all scenarios (with each encoder). Where fewer than two have
    that, all methods are, over the scenarios that they share. Equals share their average rank. The interval
    is of the bootstrap over orders and seeds within each scenario: methods with the same orders and seeds are
    drawn on the same ones. There is none where a method has fewer than three runs in some scenario.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        generator: The random generator of the bootstrap; None is one with seed 0.

    Returns:
        The columns ``method``, ``mean``, ``low``, ``high`` and ``n``: the number of scenarios. Joint
        training and models per experience, which do not compete, are left out; the numbers of a method that
        is not ranked are NaN.
    """
    rivals, scores = _rivals(frame), scores_of(frame)
    ranked = _comparable(rivals, scores)
    tasks = common_tasks(scores, ranked)
    found = _ranked(scores, ranked, tasks, generator or np.random.default_rng(0))
    rows = [
        (method, each.value, each.low, each.high, len(tasks) if method in found else 0)
        for method in rivals
        for each in [found.get(method, Estimate(math.nan, math.nan, math.nan))]
    ]
    table = pd.DataFrame(rows, columns=["method", "mean", "low", "high", "n"])
    return table.sort_values(["mean", "method"], ignore_index=True)


def task_means(frame: pd.DataFrame) -> pd.DataFrame:
    """The mean score of each method that :func:`average_ranks` ranks on each task there: tasks x methods."""
    ranked = _comparable(_rivals(frame), scores_of(frame))
    done = frame[(frame["status"] == "done") & frame["method"].isin(ranked)]
    means = done.pivot_table(index=PANEL, columns="method", values=SCORE, aggfunc="mean")
    return means.dropna(axis=0).round(12)


def _rivals(frame: pd.DataFrame) -> list[str]:
    """The methods that compete."""
    return sorted(set(frame["method"]) - set(frame.loc[~frame["competes"], "method"]))


def scores_of(frame: pd.DataFrame) -> dict[str, dict[Any, pd.DataFrame]]:
    """The finished runs of each method that has any, by task."""
    done = frame[frame["status"] == "done"]
    return {
        str(method): dict(list(runs.groupby(PANEL, sort=True)))
        for method, runs in done.groupby("method", sort=True)
    }


def common_tasks(scores: Scores, methods: Sequence[str]) -> list[Any]:
    """The tasks in which each of these methods has finished runs."""
    sets = [set(scores[method]) for method in methods]
    return sorted(set.intersection(*sets)) if sets else []


def _comparable(methods: Sequence[str], scores: Scores) -> list[str]:
    """The methods that can be ranked together: one that lacks a scenario takes none from the others."""
    started = [method for method in methods if method in scores]
    every = set().union(*(scores[method] for method in started))
    complete = [method for method in started if set(scores[method]) == every]
    return complete if len(complete) > 1 else started


def _ranked(
    scores: Scores, methods: Sequence[str], tasks: Sequence[Any], generator: np.random.Generator
) -> dict[str, Estimate]:
    if not tasks:
        return {}
    places, drawn = np.zeros(len(methods)), np.zeros((DRAWS, len(methods)))
    for task in tasks:
        seed = int(generator.integers(2**63))
        means, samples = np.empty(len(methods)), np.empty((DRAWS, len(methods)))
        for at, method in enumerate(methods):
            values = scores[method][task][SCORE].to_numpy(dtype=np.float64)
            weights = run_weights(list(scores[method][task]["order"]), np.random.default_rng(seed))
            means[at], samples[:, at] = values.mean(), weights @ values
        # Equal means may differ by the rounding of their sums.
        places += ranks(means.round(12)) / len(tasks)
        drawn += ranks(samples.round(12)) / len(tasks)
    low, high = percentiles(drawn.T)
    if min(len(scores[method][task]) for method in methods for task in tasks) < LEAST_RUNS:
        low, high = np.full((2, len(methods)), math.nan)
    return {
        method: Estimate(float(places[at]), float(low[at]), float(high[at]))
        for at, method in enumerate(methods)
    }


def padded(runs: Mapping[Any, pd.DataFrame], tasks: Sequence[Any]) -> NDArray[np.float64]:
    """(runs, tasks) scores of one method, NaN where a task has fewer runs."""
    columns = [runs[task][SCORE].to_numpy(dtype=np.float64) for task in tasks]
    table = np.full((max(map(len, columns)), len(tasks)), np.nan)
    for at, column in enumerate(columns):
        table[: len(column), at] = column
    return table
