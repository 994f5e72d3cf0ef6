"""The interval of the mean over runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clbench.reporting.statistics.intervals import hierarchical_interval


def bounds(values: ArrayLike, orders: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % interval of the mean over runs, for each of several quantities.

    Args:
        values: Shape (runs, quantities).
        orders: The order of experiences of each run: orders are drawn first, then seeds within.

    Returns:
        The lower and the upper bounds, each of shape (quantities,); NaN for fewer than two runs.
    """
    found = hierarchical_interval(values, orders, np.random.default_rng(0))
    return found.low, found.high
