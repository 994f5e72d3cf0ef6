"""The Pareto front of accuracy and cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, value: ArrayLike) -> NDArray[np.bool_]:
    """Which points are Pareto-optimal.

    No other point has at most their cost and at least their value, one of them strictly.

    Args:
        cost: Shape (N,), lower is better.
        value: Shape (N,), higher is better.

    Returns:
        A mask of shape (N,). Equal points are both on the front or both off it; a point with a NaN is off it
        and beats no other.

    Raises:
        ValueError: The shapes differ, or are not one-dimensional.

    Example:
        >>> pareto_front([1, 2, 3, 3], [0.5, 0.8, 0.7, 0.9]).tolist()
        [True, True, False, True]
    """
    costs, values = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if costs.ndim != 1 or costs.shape != values.shape:
        raise ValueError(f"cost and value have shapes {costs.shape} and {values.shape}, not one (N,)")
    # (i, j): whether j is at least as good as i in both, and better in one. NaN compares false.
    no_worse = (costs <= costs[:, None]) & (values >= values[:, None])
    better = (costs < costs[:, None]) | (values > values[:, None])
    defined = ~(np.isnan(costs) | np.isnan(values))
    front: NDArray[np.bool_] = defined & ~(no_worse & better).any(axis=1)
    return front
