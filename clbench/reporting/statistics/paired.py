"""Which methods are not significantly worse than the best: paired tests on common runs, Holm-corrected."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

ALPHA = 0.05
LEAST_PAIRS = 3
"""Of two runs that both have, a test finds hardly any difference: a method far behind would look equal."""


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for that many tests at once (Holm, 1979): reject where one is below the level.

    Args:
        p_values: (M,); NaN stands for a test that could not be made, and does not count.

    Returns:
        (M,): the i-th smallest of M times M - i (i from 0), at least the one before it, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN is sorted last
    adjusted = np.full_like(values, np.nan)
    steps = values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def worse_p(best: ArrayLike, others: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each of some methods, how likely a lead of the best like this is if it is not really better.

    Args:
        best: (N,) the values of the best method, higher is better; NaN where it has no such run.
        others: (N, M) those of the others in the same runs, likewise.

    Returns:
        p: (M,) of the one-sided paired t-test (``scipy.stats.ttest_rel``) on the runs that both have; NaN for
        fewer than ``LEAST_PAIRS``. Where all differences are equal there is no t: 0 if the best leads,
        otherwise 1.
        pairs: (M,) how many runs both have.
    """
    left, right = np.asarray(best, dtype=np.float64), np.asarray(others, dtype=np.float64)
    both = ~(np.isnan(left)[:, None] | np.isnan(right))  # (N, M)
    pairs = both.sum(axis=0)
    p = np.full(right.shape[1], np.nan)
    # Most methods have the same runs, and are tested in one call.
    for runs in np.unique(both[:, pairs >= LEAST_PAIRS].T, axis=0):
        same = (both == runs[:, None]).all(axis=0)
        p[same] = _tested(left[runs], right[np.ix_(runs, same)])
    return p, pairs


def _tested(best: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The test of :func:`worse_p` on values (P,) and (P, M) without NaN."""
    lead = best[:, None] - others
    # What is below this is the rounding of floats.
    least = 1e-12 * np.maximum(np.abs(best).max(), np.abs(others).max(axis=0))
    equal = np.ptp(lead, axis=0) <= least
    p = np.where(lead.mean(axis=0) > least, 0.0, 1.0)
    if not equal.all():
        repeated = np.broadcast_to(best[:, None], others.shape)[:, ~equal]
        p[~equal] = stats.ttest_rel(repeated, others[:, ~equal], axis=0, alternative="greater").pvalue
    return p
