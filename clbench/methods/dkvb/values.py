"""The table of values, and sums of the rows that texts select."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Stored = Literal["all", "selected"]
ValueDtype = Literal["float32", "bfloat16"]


class ValueTable(nn.Module):
    """R value rows of size V.

    It is ``nn.EmbeddingBag`` in mode ``sum`` with a gradient that is made faster: of each selected row once,
    without the entries of each text in between.

    Args:
        rows: R.
        size: V.
        sparse: Whether the gradient has selected rows only.
        stored: Which rows its state holds: ``selected`` leaves out those that are zero, as they are before
            any text selects them. What it computes is the same, bit for bit.
        dtype: To which numbers ``settle`` rounds, and how the state holds rounded ones.

    Attributes:
        weight: (R, V), zeros at first.
        mass: (R,) how much each row has seen, where ``keep_mass`` was called; see ``RowMean``.
    """

    mass: Tensor

    def __init__(
        self,
        rows: int,
        size: int,
        *,
        sparse: bool,
        stored: Stored = "all",
        dtype: ValueDtype = "float32",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, size))
        self.sparse, self.stored = sparse, stored
        self.dtype = torch.bfloat16 if dtype == "bfloat16" else torch.float32

    def keep_mass(self) -> None:
        """Adds ``mass``, for an optimizer that makes rows running means."""
        self.register_buffer("mass", self.weight.new_zeros(len(self.weight)))

    @torch.no_grad()
    def settle(self) -> None:
        """Rounds values to the type in which they are carried to the next experience."""
        if self.dtype != torch.float32:
            self.weight.copy_(self.weight.to(self.dtype))

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Holds what there is of each row, in fewer bytes where that loses nothing.

        Within an experience values are not rounded yet, and are held as they are.
        """
        tables = dict(zip(("weight", "mass"), self.tables(), strict=False))
        if self.stored == "selected":
            used = torch.stack([_bits(each).any(1) for each in tables.values()]).any(0)
            rows = used.nonzero()[:, 0]
            destination[prefix + "rows"] = rows.int()
            tables = {name: each[rows] for name, each in tables.items()}
        rounded = tables["weight"].to(self.dtype)
        tables["weight"] = rounded if torch.equal(rounded.float(), tables["weight"]) else tables["weight"]
        destination.update({prefix + name: each for name, each in tables.items()})

    @torch.no_grad()
    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Takes what ``_save_to_state_dict`` held."""
        if self.stored == "all":
            super()._load_from_state_dict(state_dict, prefix, *rest)
            return
        rows = state_dict[prefix + "rows"].long()
        for name, table in zip(("weight", "mass"), self.tables(), strict=False):
            table.zero_()
            table[rows.to(table.device)] = state_dict[prefix + name].to(table)

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


def _bits(table: Tensor) -> Tensor:
    """Which numbers of a table (R, ...) in float32 have a bit that is not 0, as (R, n): -0.0 has one."""
    return table.contiguous().view(torch.int32).view(len(table), -1) != 0


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
