"""Batches of texts, before and after the frozen prefix of a learner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B texts, packed: the rows of all texts one after the other.

    A text is a sequence of rows: token and segment ids as they come from the tokenizer, (2,) each; token
    states, (D,), or a single row with their mean, after a frozen encoder; after frozen keys, a selected value
    row and its count, (2,).

    Attributes:
        rows: (N, ...), the rows of the first text, then those of the second, and so on.
        lengths: (B,) int64, how many rows each text has; they add up to N.
        targets: (B,) int64, the output column of each text's label.
        class_mask: (B, C) bool, true at the output columns that are allowed for each text.
        experience: (B,) int64, the index of the experience that each text belongs to.
        encoded: Whether ``rows`` are outputs of the learner's frozen prefix.
    """

    rows: Tensor
    lengths: Tensor
    targets: Tensor
    class_mask: Tensor
    experience: Tensor
    encoded: bool = True

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """This batch on ``device``; Lightning moves batches through this."""
        if self.rows.device == torch.device(device):
            return self
        names = ("rows", "lengths", "targets", "class_mask", "experience")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)

    def padded(self) -> tuple[Tensor, Tensor]:
        """The rows (B, T, ...), padded with zeros to the longest text, and the mask (B, T) of real rows."""
        return padded(self.rows, self.lengths)

    def split(self, size: int) -> Iterator[Batch]:
        """These texts in batches of ``size``, the last one smaller; their tensors are views of this one's."""
        ends = self.lengths.cumsum(0)[size - 1 :: size].tolist()
        starts = [0, *ends]
        if len(self) % size:
            ends.append(len(self.rows))
        counts = [end - start for start, end in zip(starts, ends, strict=False)]
        parts = (self.lengths, self.targets, self.class_mask, self.experience)
        split = zip(self.rows.split(counts), *(part.split(size) for part in parts), strict=True)
        for rows, lengths, targets, class_mask, experience in split:
            yield Batch(rows, lengths, targets, class_mask, experience, self.encoded)


def padded(rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Packed rows (N, ...) of B texts as (B, T, ...), padded with zeros, and the mask (B, T) of real rows."""
    longest = int(lengths.max())
    mask = torch.arange(longest, device=rows.device) < lengths.unsqueeze(1)
    if len(rows) == mask.numel():  # texts of one length
        return rows.reshape(*mask.shape, *rows.shape[1:]), mask
    out = rows.new_zeros(*mask.shape, *rows.shape[1:])
    out[mask] = rows
    return out, mask


def pack(rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """The packed rows (N, ...) and lengths (B,) of B arrays (T_b, ...) of one dtype."""
    return torch.from_numpy(np.concatenate(rows)), torch.tensor([len(each) for each in rows])


def masked_mean(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real rows of each text: (B, T, D) and (B, T) to (B, D).

    Padding has no weight, so a text's mean does not depend on its batch.
    """
    weight = mask.unsqueeze(-1).to(rows.dtype)  # (B, T, 1)
    return (rows * weight).sum(1) / weight.sum(1)


def concatenate(first: Batch, second: Batch) -> Batch:
    """The texts of two batches in one."""
    return Batch(
        rows=torch.cat([first.rows, second.rows]),
        lengths=torch.cat([first.lengths, second.lengths]),
        targets=torch.cat([first.targets, second.targets]),
        class_mask=torch.cat([first.class_mask, second.class_mask]),
        experience=torch.cat([first.experience, second.experience]),
        encoded=first.encoded,
    )
