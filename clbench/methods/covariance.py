"""Covariances from sums, and how they are shrunk."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 1e-12
"""The smallest variance: it is zero with one text per class."""


def within_covariance(products: Tensor, sums: Tensor, counts: Tensor) -> Tensor:
    """The covariance (D, D) around class means, divided by the number of texts minus that of classes.

    Args:
        products: The sum of x x^T over the texts of n classes, (D, D).
        sums: The sum of x of each class, (n, D).
        counts: Texts of each class, (n,), none of them 0.
    """
    scatter = products - sums.T @ (sums / counts.unsqueeze(1))
    return scatter / (counts.sum() - len(counts)).clamp(min=1)


def running_scatter(features: Tensor, targets: Tensor, sums: Tensor, counts: Tensor) -> Tensor:
    """What texts add to N S, with S the running covariance of Hayes and Kanan 2020 (arXiv 1909.01520, eq. 2).

    The i-th text of all adds (i - 1) / i d d^T, d its distance to the mean of its class before it, or to
    zero where it is the first one of its class.

    Args:
        features: (B, D), in the order of the stream.
        targets: Their classes, (B,).
        sums: The sum of x of each class before these texts, (C, D).
        counts: Texts of each class before these, (C,).
    """
    away = torch.empty_like(features)
    for column in targets.unique().tolist():
        own = targets == column
        before = sums[column] + features[own].cumsum(0) - features[own]
        count = counts[column] + torch.arange(len(before)).to(counts)
        away[own] = features[own] - before / count.clamp(min=1).unsqueeze(1)
    number = counts.sum() + torch.arange(len(features)).to(counts)
    return (away * (number / (number + 1)).unsqueeze(1)).T @ away


def shrunk(covariance: Tensor, diagonal: float, off_diagonal: float) -> Tensor:
    """S + a1 v I + a2 w (1 - I), v and w the mean entries of S on and off its diagonal.

    Goswami et al. 2023, arXiv 2309.14062, eq. 5.

    Args:
        covariance: S, (D, D).
        diagonal: A1.
        off_diagonal: A2.
    """
    size, identity = len(covariance), torch.eye(len(covariance)).to(covariance)
    variance = covariance.trace() / size
    between = (covariance.sum() - covariance.trace()) / max(1, size * (size - 1))
    return covariance + diagonal * variance * identity + off_diagonal * between * (1 - identity)


def correlations(covariance: Tensor) -> Tensor:
    """S_ij / sqrt(S_ii S_jj); where there is no variance at all, the identity (eq. 6 there)."""
    covariance = covariance.clone()
    covariance.diagonal().clamp_(min=LEAST)
    scale = covariance.diagonal().rsqrt()
    return covariance * scale.unsqueeze(1) * scale


def oracle_approximating_shrinkage(covariance: Tensor, texts: float) -> float:
    """How far to shrink a covariance towards the scaled identity: (1 - e) S + e v I, v the mean variance.

    The oracle approximating shrinkage (OAS; Chen et al. 2010, arXiv 0907.4698, eq. 23): with a the mean of
    the squares of all entries of S, e = min(1, (a + v^2) / ((n + 1) (a - v^2 / p))). Terms in 2 / p are left
    out, as in scikit-learn.

    Args:
        covariance: S, (p, p), of centered features, divided by n.
        texts: N, the number of texts.
    """
    square, variance = covariance.square().mean(), covariance.diagonal().mean()
    denominator = float((texts + 1) * (square - variance.square() / len(covariance)))
    return min(1.0, float(square + variance.square()) / denominator) if denominator > 0 else 1.0
