"""Ridge regression on sums over all texts, its recursive form, and ways to choose the ridge."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from clbench.methods.prototypes import sums_by_class

RIDGES = (-2, 6)
"""The smallest and the largest power of ten that a ridge is chosen from."""
FIRST_RIDGE = 3
"""The power of ten at which the search for a ridge starts."""
PAPER_RIDGES = (-8, 8)
"""The powers of ten of RanPAC's authors."""


class RegressionSums(nn.Module):
    """What a ridge regression needs of all texts: G = H^T H and Y^T H, in double precision.

    Args:
        size: M, the number of features.
        columns: C.

    Attributes:
        gram: G, (M, M).
        targets: Y^T H, (C, M).
    """

    gram: Tensor
    targets: Tensor

    def __init__(self, size: int, columns: int) -> None:
        super().__init__()
        self.register_buffer("gram", torch.zeros(size, size, dtype=torch.float64))
        self.register_buffer("targets", torch.zeros(columns, size, dtype=torch.float64))

    def add(self, features: Tensor, targets: Tensor) -> None:
        """Adds texts with features H, (n, M), and classes (n,)."""
        self.gram += features.T @ features
        self.targets += sums_by_class(features, targets, len(self.targets))


def ridge_regression(gram: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Weights V, (C, M), of least |H V^T - Y|^2 + ridge |V|^2, from G = H^T H, (M, M), and Y^T H, (C, M)."""
    penalized = gram.clone()
    penalized.diagonal().add_(ridge)
    return torch.cholesky_solve(targets.T, torch.linalg.cholesky(penalized)).T


def chosen_ridge(sums: RegressionSums, held: RegressionSums, texts: float) -> float:
    """The power of ten whose ridge regression has the least squared error on held-out texts.

    The squared error is tr(V G' V^T) - 2 tr(V Q'^T) + n'. The search goes from 1,000 downhill to the nearest
    minimum, since each candidate costs a Cholesky factor.

    Args:
        sums: Over all texts, the held-out ones included.
        held: Over the held-out texts.
        texts: N', the number of held-out texts, each with one class.
    """
    gram, targets = sums.gram - held.gram, sums.targets - held.targets

    @functools.cache
    def error(power: int) -> float:
        weight = ridge_regression(gram, targets, 10.0**power)
        return float((weight @ held.gram * weight).sum() - 2 * (weight * held.targets).sum() + texts)

    power, best = FIRST_RIDGE + 1, FIRST_RIDGE
    while best != power:
        power = best
        around = (each for each in (power, power - 1, power + 1) if RIDGES[0] <= each <= RIDGES[1])
        best = min(around, key=error)
    return 10.0**power


def ridge_of_last_texts(features: Tensor, targets: Tensor) -> float:
    """The power of ten of least squared error on the last fifth of the texts, as RanPAC's authors choose it.

    Regressions on the first four fifths are compared for 10^-8 to 10^8. One eigendecomposition serves all of
    them, of whichever is smaller: H H^T of these texts, or H^T H.

    Args:
        features: H, (n, M).
        targets: One-hot, (n, C).
    """
    first = int(0.8 * len(features))
    known, held = features[:first], features[first:]
    wide = first < features.shape[1]
    values, vectors = torch.linalg.eigh(known @ known.T if wide else known.T @ known)
    values = values.clamp(min=0).unsqueeze(1)
    left = held @ known.T @ vectors if wide else held @ vectors
    right = vectors.T @ targets[:first] if wide else vectors.T @ (known.T @ targets[:first])

    def error(power: int) -> float:
        return float((left @ (right / (values + 10.0**power)) - targets[first:]).square().sum())

    return 10.0 ** min(range(PAPER_RIDGES[0], PAPER_RIDGES[1] + 1), key=error)


def recursive_least_squares(inverse: Tensor, weight: Tensor, features: Tensor, targets: Tensor) -> None:
    """Takes texts into a ridge regression, in place.

    With X the new features and Y their targets: K = (I + X R X^T)^-1 X R, R <- R - (X R)^T K and
    V <- V + (Y - X V^T)^T K, by the Woodbury identity. Started at R = I / ridge and V = 0, it is the ridge
    regression of all texts so far (Zhuang et al. 2022, arXiv 2205.14922, theorem 1).

    Args:
        inverse: R, (M, M), the inverse of H^T H + ridge I.
        weight: V, (C, M).
        features: X, (n, M).
        targets: Y, (n, C).
    """
    products = features @ inverse  # (n, M)
    system = products @ features.T
    system.diagonal().add_(1)
    gain = torch.cholesky_solve(products, torch.linalg.cholesky(system))
    inverse -= products.T @ gain
    weight += (targets - features @ weight.T).T @ gain
