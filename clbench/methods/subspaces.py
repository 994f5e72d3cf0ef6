"""Directions that the inputs of a layer use, and those that earlier inputs leave free."""

from __future__ import annotations

import torch
from torch import Tensor


def free_directions(projector: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
    """The left singular vectors and values of (I - P) C, the largest first.

    Args:
        projector: P (D, D), onto directions that are taken.
        moments: C = sum x x^T (D, D) of inputs x.

    Returns:
        Vectors (D, D) as columns, without any part in P, and values (D,).
    """
    vectors, values, _ = torch.linalg.svd(moments - projector @ moments)
    return vectors - projector @ vectors, values  # where a value is zero, a vector may lie anywhere


def directions_to_take(projector: Tensor, moments: Tensor, share: float) -> Tensor:
    """The fewest free directions after which P holds a share of the energy |C|^2 (Frobenius).

    This is the memory of gradient projection (Saha et al. 2021, arXiv 2103.09762) on C = sum x x^T, as in
    InfLoRA. What P holds already counts.

    Args:
        projector: P (D, D).
        moments: C (D, D).
        share: Between 0 and 1.

    Returns:
        Columns (D, k), orthonormal and orthogonal to P.
    """
    vectors, values = free_directions(projector, moments)
    squares, energy = values.square(), moments.square().sum()
    before = energy - squares.sum() + squares.cumsum(0) - squares  # held without this vector and later ones
    return vectors[:, : int((before < share * energy).sum())]
