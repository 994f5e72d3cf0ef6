"""Bootstrap intervals of means over runs, resampling orders and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
DRAWS = 10_000
LEAST_RUNS = 3
"""Of fewer runs there is no interval: that of two covers the mean in half of all cases."""


@dataclass(frozen=True)
class Interval:
    """The mean over runs and the bounds of its interval.

    Attributes:
        mean: (Q,) for each quantity.
        low: (Q,) lower bounds, NaN for fewer than ``LEAST_RUNS``.
        high: (Q,) upper bounds, likewise.
        n: How many runs.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: int


def hierarchical_interval(
    values: ArrayLike, orders: Sequence[str], generator: np.random.Generator, *, draws: int = DRAWS
) -> Interval:
    """The 95 % percentile bootstrap interval of the mean, orders drawn first and then seeds within each.

    Runs in the same order of experiences are alike, so drawing runs one by one would promise too much. Every
    quantity is drawn on the same runs, so the bounds of a curve have no steps of chance. Intervals of few
    runs are too narrow, by whatever bootstrap: of normal values they cover the mean in 75 % of cases with
    three runs, in 84 % with five and in 89 % with nine.

    Args:
        values: (N, Q) quantities of N runs, or (N,) for one quantity.
        orders: (N,) the order of experiences of each run.
        generator: The only source of chance.
        draws: Bootstrap samples.

    Raises:
        ValueError: There is no run, or not one order for each.

    Example:
        >>> found = hierarchical_interval([0.5, 0.6, 0.7], ["0", "1", "2"], np.random.default_rng(0))
        >>> found.mean.round(6).tolist(), found.low.tolist(), found.high.tolist()
        ([0.6], [0.5], [0.7])
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table  # (N, Q)
    if table.ndim != 2 or not len(table) or len(orders) != len(table):
        raise ValueError(f"{len(orders)} orders for values of shape {table.shape}")
    mean = table.mean(axis=0)
    if len(table) < LEAST_RUNS:
        unknown = np.full_like(mean, np.nan)
        return Interval(mean, unknown, unknown, len(table))
    # Rounding would give equal values a width.
    equal = (table == table[0]).all(axis=0)
    mean = np.where(equal, table[0], mean)
    low, high = mean.copy(), mean.copy()
    if not equal.all():
        weights = run_weights(orders, generator, draws)
        # A product by BLAS has its threads wait for each other where other processes keep the cores busy.
        means = np.einsum("dn,nq->qd", weights, table[:, ~equal])  # (those that differ, draws)
        low[~equal], high[~equal] = percentiles(means)
    return Interval(mean, low, high, len(table))


def percentiles(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, ...): the bounds of the middle 95 % of bootstrap draws (..., draws)."""
    bounds: NDArray[np.float64] = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    return bounds


def run_weights(
    orders: Sequence[str], generator: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.float64]:
    """(draws, N): how much each run weighs in the mean of each bootstrap sample, orders drawn before seeds.

    Args:
        orders: (N,) the order of experiences of each run.
        generator: The only source of chance.
        draws: Bootstrap samples.
    """
    groups = [np.flatnonzero(np.array(orders) == name) for name in sorted(set(orders))]
    sizes = np.array([len(group) for group in groups])
    members = np.zeros((len(groups), sizes.max()), dtype=np.int64)  # (O, S), padded
    for place, group in enumerate(groups):
        members[place, : len(group)] = group
    drawn = generator.integers(len(groups), size=(draws, len(groups)))  # (draws, O)
    seeds = generator.random((*drawn.shape, members.shape[1])) * sizes[drawn][..., None]
    runs = members[drawn[..., None], seeds.astype(np.int64)]  # (draws, O, S)
    counted = np.arange(members.shape[1]) < sizes[drawn][..., None]
    flat = runs + len(orders) * np.arange(draws)[:, None, None]
    counts = np.bincount(flat[counted], minlength=draws * len(orders)).reshape(draws, len(orders))
    weights: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return weights
