"""The table of values, and sums of the rows that texts select."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ValueTable(nn.Module):
    """R value rows of size V.

    It is ``nn.EmbeddingBag`` in mode ``sum`` with a gradient that is made faster: of each selected row once,
    without the entries of each text in between.

    Args:
        rows: R.
        size: V.
        sparse: Whether the gradient has selected rows only.

    Attributes:
        weight: (R, V), zeros at first.
        mass: (R,) how much each row has seen, where ``keep_mass`` was called; see ``RowMean``.
    """

    mass: Tensor

    def __init__(self, rows: int, size: int, *, sparse: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, size))
        self.sparse = sparse

    def keep_mass(self) -> None:
        """Adds ``mass``, for an optimizer that makes rows running means."""
        self.register_buffer("mass", self.weight.new_zeros(len(self.weight)))

    @torch.no_grad()
    def clear(self, rows: Tensor) -> None:
        """Sets rows back to zero: those that are true in (R,)."""
        for table in self.tables():
            table[rows.to(table.device)] = 0

    def tables(self) -> list[Tensor]:
        """What there is of each row: its value (R, V), and its mass (R,)."""
        return [self.weight.detach(), *self.buffers()]

    def forward(self, rows: Tensor, sizes: Tensor, weight: Tensor) -> Tensor:
        """Weighted sums of rows.

        Args:
            rows: (E,) int32, the selected rows of B bags, one bag after the other.
            sizes: (B,) how many rows each bag has.
            weight: (E,) the weight of each.

        Returns:
            (B, V).
        """
        sums: Tensor = _WeightedSums.apply(self.weight, rows, sizes, weight, self.sparse)
        return sums


class _WeightedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, sizes: Tensor, weight: Tensor, sparse: bool) -> Tensor:
        ctx.save_for_backward(rows, sizes, weight)
        ctx.shape, ctx.sparse = table.shape, sparse
        return _sums(table, rows, sizes, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of a row: the sum of the gradients of the bags that select it, each times its weight."""
        rows, sizes, weight = ctx.saved_tensors
        bags = torch.arange(len(sizes), dtype=rows.dtype, device=rows.device).repeat_interleave(sizes)
        by_row, order = rows.sort(stable=True)
        distinct, counts = torch.unique_consecutive(by_row, return_counts=True)
        each = _sums(gradient.contiguous(), bags[order], counts, weight[order])  # (R', V)
        if ctx.sparse:
            size = tuple(ctx.shape)
            made = torch.sparse_coo_tensor(
                distinct.long().unsqueeze(0), each, size, is_coalesced=True, check_invariants=False
            )
        else:
            made = each.new_zeros(ctx.shape)
            made[distinct.long()] = each
        return made, None, None, None, None


def _sums(table: Tensor, rows: Tensor, sizes: Tensor, weight: Tensor) -> Tensor:
    starts = (sizes.cumsum(0) - sizes).to(rows.dtype)
    return F.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weight.to(table.dtype))
