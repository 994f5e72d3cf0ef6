"""A replay buffer of fixed shape, filled by reservoir sampling."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError

Fill = Literal["reservoir", "per-class"]


class ReplayBuffer(nn.Module):
    """Keeps a uniform sample of all texts added to it (Vitter 1985, algorithm R).

    All state, the number of texts seen included, is in registered buffers of fixed shape: checkpoints hold
    it, and its size in bytes is constant.

    Args:
        capacity: Texts kept at most.
        length: Rows kept per text; longer texts are cut.
        shape: Shape of one row.
        dtype: Type of the rows.
        columns: C, the number of output columns.
        fill: One reservoir over all texts, or one of ``capacity // columns`` texts for each class
            (``per-class``).
        logits: Whether to keep the logits (C,) that each text was added with.

    Raises:
        UserError: The capacity is too small.
    """

    rows: Tensor
    lengths: Tensor
    targets: Tensor
    class_mask: Tensor
    experience: Tensor
    seen: Tensor
    logits: Tensor

    def __init__(
        self,
        capacity: int,
        length: int,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        columns: int,
        fill: Fill = "reservoir",
        *,
        logits: bool = False,
    ) -> None:
        super().__init__()
        groups = columns if fill == "per-class" else 1
        if capacity < groups:
            raise UserError(f"capacity {capacity}: fill {fill} needs at least {groups}")
        self.quota = capacity // groups
        self.fill = fill
        self.register_buffer("rows", torch.zeros(capacity, length, *shape, dtype=dtype))
        self.register_buffer("lengths", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("targets", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("class_mask", torch.zeros(capacity, columns, dtype=torch.bool))
        self.register_buffer("experience", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(groups, dtype=torch.int64))  # texts, per reservoir
        if logits:
            self.register_buffer("logits", torch.zeros(capacity, columns))

    def __len__(self) -> int:
        return int(self.seen.clamp(max=self.quota).sum())

    def add(self, batch: Batch, generator: torch.Generator, logits: Tensor | None = None) -> None:
        """Adds the texts of ``batch`` in order, with their logits (B, C) if these are kept."""
        places = self._places(batch, generator)
        if not places:
            return
        to, source = (
            torch.tensor(each, device=self.rows.device) for each in (list(places), list(places.values()))
        )
        rows, _ = batch.padded()
        length = min(rows.shape[1], self.rows.shape[1])
        self.rows[to] = 0
        self.rows[to, :length] = rows[source, :length].to(self.rows.dtype)
        self.lengths[to] = batch.lengths[source].clamp(max=length)
        for name in ("targets", "class_mask", "experience"):
            getattr(self, name)[to] = getattr(batch, name)[source]
        if logits is not None:
            self.logits[to] = logits[source].detach()

    def _places(self, batch: Batch, generator: torch.Generator) -> dict[int, int]:
        """Where texts of ``batch`` go: place in the buffer to position in the batch; the last one stays."""
        groups = batch.targets.tolist() if self.fill == "per-class" else [0] * len(batch)
        draws = torch.rand(len(batch), generator=generator, dtype=torch.float64).tolist()
        seen = self.seen.tolist()
        places = {}
        for position, (group, draw) in enumerate(zip(groups, draws, strict=True)):
            seen[group] += 1
            place = seen[group] - 1
            if place >= self.quota:
                place = int(draw * seen[group])  # each of the texts seen so far is equally likely to be kept
            if place < self.quota:
                places[group * self.quota + place] = position
        self.seen.copy_(torch.tensor(seen))
        return places

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Positions of ``size`` kept texts, drawn without replacement; of all texts if fewer are kept."""
        kept = (torch.arange(self.quota) < self.seen.cpu()[:, None]).flatten().nonzero()[:, 0]
        chosen = torch.randperm(len(kept), generator=generator)[:size]
        return kept[chosen].to(self.targets.device)

    def batch(self, places: Tensor) -> Batch:
        """The texts at positions ``places``."""
        lengths, rows = self.lengths[places], self.rows[places]
        if rows.shape[1] == 1:
            packed = rows[:, 0]
        else:
            packed = rows[torch.arange(rows.shape[1], device=rows.device) < lengths.unsqueeze(1)]
        return Batch(
            rows=packed,
            lengths=lengths,
            targets=self.targets[places],
            class_mask=self.class_mask[places],
            experience=self.experience[places],
        )
