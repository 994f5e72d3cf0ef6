"""Aggregates over runs and tasks, as rliable defines them (Agarwal et al., NeurIPS 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from clbench.reporting.statistics.intervals import DRAWS, LEAST_RUNS, percentiles


@dataclass(frozen=True)
class Estimate:
    """A value and the bounds of its interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: ArrayLike, generator: np.random.Generator, *, draws: int = DRAWS) -> Estimate:
    """The mean of the middle half of all scores, with its stratified bootstrap interval.

    A quarter of the scores, rounded down, is cut off at each end, whichever run and task they are of, as by
    ``scipy.stats.trim_mean``. The bootstrap draws runs with replacement within each task.

    Args:
        scores: (runs, tasks); NaN where a task has fewer runs.
        generator: The only source of chance.
        draws: Bootstrap samples.

    Raises:
        ValueError: A task has no run.

    Example:
        >>> interquartile_mean([[0.1, 0.5], [0.7, 0.9]], np.random.default_rng(0)).value
        0.6
    """
    table = _table(scores)
    samples = _resampled(table, generator, draws)  # (draws, runs, tasks)
    value = float(_middle(table.reshape(1, -1))[0])
    return _estimate(value, _middle(samples.reshape(draws, -1)), table)


def probability_of_improvement(
    scores: ArrayLike, others: ArrayLike, generator: np.random.Generator, *, draws: int = DRAWS
) -> Estimate:
    """The probability that a run of a method is better than one of another on the same task, mean over tasks.

    For each task the Mann-Whitney U statistic over the number of pairs of runs; equal scores count half. The
    bootstrap draws runs with replacement within each task, for both methods on their own.

    Args:
        scores: (runs, tasks) of the method, higher is better; NaN where a task has fewer runs.
        others: (other runs, tasks) of the other, likewise.
        generator: The only source of chance.
        draws: Bootstrap samples.

    Raises:
        ValueError: A task has no run, or the two have different numbers of tasks.

    Example:
        >>> probability_of_improvement([[0.5], [0.7]], [[0.5], [0.6]], np.random.default_rng(0)).value
        0.625
    """
    left, right = _table(scores), _table(others)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"scores of {left.shape[1]} and {right.shape[1]} tasks")
    samples = [_resampled(each, generator, draws) for each in (left, right)]
    value = float(_superiority(left[None], right[None])[0])
    return _estimate(value, _superiority(*samples), left, right)


def ranks(means: ArrayLike) -> NDArray[np.float64]:
    """(..., methods): the place of each mean (..., methods), 1 for the highest; equals share their average.

    Example:
        >>> ranks([[0.5, 0.9, 0.5]]).tolist()
        [[2.5, 1.0, 2.5]]
    """
    placed: NDArray[np.float64] = rankdata(-np.asarray(means, dtype=np.float64), axis=-1)
    return placed


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or np.isnan(table).all(axis=0).any() or not table.size:
        raise ValueError(f"scores of shape {table.shape}, not (runs, tasks) with a run of each task")
    return table


def _resampled(table: NDArray[np.float64], generator: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """(draws, runs, tasks): within each task as many of its runs as it has, with replacement; NaN last."""
    table = np.sort(table, axis=0)  # NaN last
    counts = np.count_nonzero(~np.isnan(table), axis=0)  # (tasks,)
    runs = (generator.random((draws, *table.shape)) * counts).astype(np.int64)
    drawn: NDArray[np.float64] = np.where(
        np.arange(len(table))[:, None] < counts, table[runs, np.arange(table.shape[1])], np.nan
    )
    return drawn


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,): the interquartile mean of each row of (B, N), whose rows have the same number of NaN."""
    count = np.count_nonzero(~np.isnan(values[0]))
    cut = count // 4
    means: NDArray[np.float64] = np.sort(values, axis=1)[:, cut : count - cut].mean(axis=1)
    return means


def _superiority(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,): the probability of improvement for each of B pairs of (runs, tasks)."""
    shares = np.empty((len(left), left.shape[2]))
    for task in range(left.shape[2]):  # one by one: all pairs of all tasks would take much memory
        lead = left[:, :, None, task] - right[:, None, :, task]  # (B, runs, other runs)
        pairs = np.count_nonzero(~np.isnan(lead[0]))
        shares[:, task] = ((lead > 0).sum(axis=(1, 2)) + 0.5 * (lead == 0).sum(axis=(1, 2))) / pairs
    means: NDArray[np.float64] = shares.mean(axis=1)
    return means


def _estimate(value: float, samples: NDArray[np.float64], *tables: NDArray[np.float64]) -> Estimate:
    """Without an interval where a task of some table has too few runs for one."""
    if any((np.count_nonzero(~np.isnan(table), axis=0) < LEAST_RUNS).any() for table in tables):
        return Estimate(value, math.nan, math.nan)
    low, high = percentiles(samples)
    return Estimate(value, float(low), float(high))
