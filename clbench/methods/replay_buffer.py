"""A replay buffer of fixed shape: a uniform sample of all texts, or a balanced one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError

Fill = Literal["reservoir", "per-class", "per-experience"]


class ReplayBuffer(nn.Module):
    """Keeps a sample of all texts added to it.

    With fill ``reservoir`` it is a uniform sample (Vitter 1985, algorithm R). Otherwise it is balanced over
    the classes or experiences seen so far, by class-balancing reservoir sampling (CBRS; Chrysakis and Moens
    2020, algorithm 1): the whole capacity is in use, and nothing has to be known of what is still to come.
    Once the buffer is filled, a group (a class or an experience) is full from when it first is a largest one.
    A text of a full group takes the place of one of its own group, so that each of the group's texts is
    equally likely to be kept. Any other text takes the place of one of a largest group. Algorithm R is the
    same with a single group.

    All state, the numbers of texts seen included, is in registered buffers of fixed shape: checkpoints hold
    it, and its size in bytes is constant.

    Args:
        capacity: Texts kept at most.
        length: Rows kept per text; longer texts are cut.
        shape: Shape of one row.
        dtype: Type of the rows.
        columns: C, the number of output columns.
        experiences: T, the number of experiences.
        fill: What the sample is balanced over, if anything.
        logits: Whether to keep the logits (C,) that each text was added with.

    Raises:
        UserError: The capacity is below the number of groups that it is balanced over.
    """

    rows: Tensor
    lengths: Tensor
    targets: Tensor
    class_mask: Tensor
    experience: Tensor
    seen: Tensor
    full: Tensor
    logits: Tensor

    def __init__(
        self,
        capacity: int,
        length: int,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        columns: int,
        experiences: int,
        fill: Fill = "reservoir",
        *,
        logits: bool = False,
    ) -> None:
        super().__init__()
        groups = {"reservoir": 1, "per-class": columns, "per-experience": experiences}[fill]
        if capacity < groups:
            least = f"a {fill} buffer of this scenario holds at least {groups} texts"
            raise UserError(f"capacity {capacity}: {least}")
        self.capacity = capacity
        self.fill = fill
        self.register_buffer("rows", torch.zeros(capacity, length, *shape, dtype=dtype))
        self.register_buffer("lengths", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("targets", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("class_mask", torch.zeros(capacity, columns, dtype=torch.bool))
        self.register_buffer("experience", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(groups, dtype=torch.int64))  # texts added, per group
        self.register_buffer("full", torch.zeros(groups, dtype=torch.bool))  # was a largest group
        if logits:
            self.register_buffer("logits", torch.zeros(capacity, columns))

    def __len__(self) -> int:
        return min(int(self.seen.sum()), self.capacity)

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
        kept, groups = len(self), self._groups(batch.targets, batch.experience)
        held = self._groups(self.targets, self.experience)  # (capacity,); empty places are in no group
        sizes = np.bincount(held[:kept], minlength=len(self.seen))
        seen, full = self.seen.cpu().numpy().copy(), self.full.cpu().numpy().copy()
        draws = torch.rand(len(batch), generator=generator, dtype=torch.float64).tolist()
        places = {}
        for position, (group, draw) in enumerate(zip(groups.tolist(), draws, strict=True)):
            seen[group] += 1
            if kept < self.capacity:
                place, kept = kept, kept + 1
            elif full[group]:
                rank = int(draw * seen[group])  # each of the group's texts is equally likely to be kept
                if rank >= sizes[group]:
                    continue
                place = int(np.flatnonzero(held == group)[rank])
                sizes[group] -= 1
            else:
                largest = np.flatnonzero((sizes == sizes.max())[held])
                place = int(largest[int(draw * len(largest))])
                sizes[held[place]] -= 1
            held[place] = group
            sizes[group] += 1
            if kept == self.capacity:
                full |= sizes == sizes.max()
            places[place] = position
        self.seen.copy_(torch.from_numpy(seen))
        self.full.copy_(torch.from_numpy(full))
        return places

    def _groups(self, targets: Tensor, experience: Tensor) -> np.ndarray:
        """The group (B,) of each text, as a new array."""
        if self.fill == "reservoir":
            return np.zeros(len(targets), dtype=np.int64)
        chosen = targets if self.fill == "per-class" else experience
        return chosen.cpu().numpy().copy()

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Positions of ``size`` kept texts, drawn without replacement; of all texts if fewer are kept."""
        return torch.randperm(len(self), generator=generator)[:size].to(self.targets.device)

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
