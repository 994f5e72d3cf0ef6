"""A replay memory of fixed shape, filled by reservoir sampling."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.batch import Batch


class ReplayBuffer(nn.Module):
    """Keeps a uniform sample of all the texts that it was shown (Vitter 1985, algorithm R).

    Everything is a registered buffer of fixed shape, the number of texts seen included: a checkpoint
    holds all of it, and its bytes do not depend on what it was shown.

    Args:
        capacity: Texts kept at most.
        length: Rows kept per text; longer texts are cut.
        shape: Shape of one row.
        dtype: Type of the rows.
        columns: C, the number of output columns.
    """

    rows: Tensor
    mask: Tensor
    targets: Tensor
    allowed: Tensor
    experience: Tensor
    seen: Tensor

    def __init__(
        self, capacity: int, length: int, shape: tuple[int, ...], dtype: torch.dtype, columns: int
    ) -> None:
        super().__init__()
        self.capacity = capacity
        self.register_buffer("rows", torch.zeros(capacity, length, *shape, dtype=dtype))
        self.register_buffer("mask", torch.zeros(capacity, length, dtype=torch.bool))
        self.register_buffer("targets", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("allowed", torch.zeros(capacity, columns, dtype=torch.bool))
        self.register_buffer("experience", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        return min(int(self.seen), self.capacity)

    def add(self, batch: Batch, generator: torch.Generator) -> None:
        """Shows the texts of ``batch`` to the reservoir, in order."""
        for index in range(len(batch)):
            place = int(self.seen)
            if place >= self.capacity:
                place = int(torch.randint(place + 1, (), generator=generator))
            self.seen += 1
            if place < self.capacity:
                self._put(place, batch, index)

    def _put(self, place: int, batch: Batch, index: int) -> None:
        length = min(batch.rows.shape[1], self.rows.shape[1])
        self.rows[place] = 0
        self.rows[place, :length] = batch.rows[index, :length].to(self.rows.dtype)
        self.mask[place] = False
        self.mask[place, :length] = batch.mask[index, :length]
        self.targets[place] = batch.targets[index]
        self.allowed[place] = batch.allowed[index]
        self.experience[place] = batch.experience[index]

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """``size`` of the kept texts, drawn without replacement (all of them if fewer are kept)."""
        chosen = torch.randperm(len(self), generator=generator)[:size].to(self.targets.device)
        mask = self.mask[chosen]
        length = int(mask.sum(1).max())
        rows = self.rows[chosen, :length]
        return Batch(
            rows=rows if rows.is_floating_point() else rows.long(),
            mask=mask[:, :length],
            targets=self.targets[chosen],
            allowed=self.allowed[chosen],
            experience=self.experience[chosen],
        )
