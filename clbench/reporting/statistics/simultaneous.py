"""Comparisons of all methods at once: what is said of the best holds although these runs chose it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from clbench.reporting.statistics.across import ranks

ALPHA = 0.05
DRAWS = 100_000
"""Of a distribution: a p-value of 0.05 is right to 0.0014 in 19 of 20 cases."""
LEAST_BLOCKS = 3
"""Of two runs that all have, a test finds hardly any difference: a method far behind would look equal."""


def worse_p(values: ArrayLike, best: int) -> NDArray[np.float64]:
    """How likely a lead of the best over each method is if all are equal: Tukey's test on common runs.

    The probability that of k equal methods, in N runs each, some two have means at least so far apart: the
    studentized range with the residual variance of runs plus methods, which has (k - 1) (N - 1) degrees of
    freedom (a randomized block design). It is that of any pair, and so holds for a best method that these
    runs have chosen. The variance is taken to be that of all methods.

    Args:
        values: (N, k) a row for each run (order and seed) that all k methods have; higher is better.
        best: The column of the best.

    Returns:
        (k,), 1 for the best; NaN for fewer than ``LEAST_BLOCKS`` runs or two methods. Where runs leave no
        residual, 0 for means that differ from the best, otherwise 1.

    Example:
        >>> worse_p([[0.9, 0.5], [0.8, 0.5], [0.9, 0.6]], 0).round(2).tolist()
        [1.0, 0.01]
    """
    table = np.asarray(values, dtype=np.float64)
    blocks, methods = table.shape
    if blocks < LEAST_BLOCKS or methods < 2:
        return np.full(methods, math.nan)
    means = table.mean(axis=0)
    apart = np.abs(means - means[best])
    freedom = (methods - 1) * (blocks - 1)
    residual = table - means - table.mean(axis=1, keepdims=True) + table.mean()
    error = math.sqrt((residual**2).sum() / freedom / blocks)
    least = 1e-12 * max(1e-300, float(np.abs(table).max()))  # what is below this is the rounding of floats
    if error <= least:
        return np.where(apart > least, 0.0, 1.0)
    drawn = _studentized_ranges(methods, freedom)
    shares: NDArray[np.float64] = 1 - np.searchsorted(drawn, apart / error) / len(drawn)
    return shares


@cache
def _studentized_ranges(methods: int, freedom: int) -> NDArray[np.float64]:
    """Sorted draws of the studentized range: SciPy integrates its distribution, which takes seconds."""
    generator = np.random.default_rng(0)
    width = np.ptp(generator.standard_normal((DRAWS, methods), dtype=np.float32), axis=1)
    return np.sort(width / np.sqrt(generator.chisquare(freedom, DRAWS) / freedom))


@dataclass(frozen=True)
class RankTest:
    """Whether methods differ over tasks, and how far apart average ranks must be.

    Attributes:
        p: Of Friedman's test that all methods are equal; NaN for fewer than three methods or two tasks.
        distance: Nemenyi's critical difference of average ranks at 5 %; NaN likewise.
        ranks: The average rank of each method, (k,); 1 is the highest score in a task, equals share theirs.
        tasks: N.
    """

    p: float
    distance: float
    ranks: NDArray[np.float64]
    tasks: int

    @property
    def methods(self) -> int:
        """K."""
        return len(self.ranks)


def rank_test(scores: ArrayLike) -> RankTest:
    """Friedman's test and Nemenyi's critical difference (Demsar, JMLR 2006, section 3.2).

    Args:
        scores: (N, k) of k methods on N tasks, higher is better.

    Example:
        >>> round(rank_test([[0.9, 0.8, 0.7]] * 5).distance, 2)  # 2.343 * sqrt(3 * 4 / (6 * 5))
        1.48
    """
    table = np.asarray(scores, dtype=np.float64)
    tasks, methods = table.shape
    places = ranks(table.round(12))
    if tasks < 2 or methods < 3:
        return RankTest(math.nan, math.nan, np.full(methods, math.nan), tasks)
    equal = bool((places == places[:, :1]).all())
    p = 1.0 if equal else float(stats.friedmanchisquare(*places.T).pvalue)
    quantile = stats.studentized_range.ppf(1 - ALPHA, methods, np.inf) / math.sqrt(2)
    distance = float(quantile * math.sqrt(methods * (methods + 1) / (6 * tasks)))
    return RankTest(p, distance, places.mean(axis=0), tasks)


def cliques(places: ArrayLike, distance: float) -> list[tuple[int, int]]:
    """Groups of neighbors whose ranks are less than ``distance`` apart, the largest ones only.

    Args:
        places: (k,) average ranks, rising.
        distance: The critical difference.

    Returns:
        The first and the last place of each group of at least two.

    Example:
        >>> cliques([1.0, 1.5, 3.0, 3.2], 1.8)
        [(0, 1), (1, 3)]
    """
    means = np.asarray(places, dtype=np.float64)
    found: list[tuple[int, int]] = []
    for first in range(len(means)):
        last = int(np.flatnonzero(means - means[first] < distance)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
