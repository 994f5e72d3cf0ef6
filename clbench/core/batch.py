"""Batches of texts, before and after the frozen prefix of a learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B texts as padded rows.

    A text is a sequence of rows: token and segment ids as they come from the tokenizer, (T, 2); token
    states, (T, D), or their mean, (1, D), after a frozen encoder; key indices, (T, H), after frozen keys.

    Attributes:
        rows: (B, T, ...) padded with zeros.
        mask: (B, T) bool, true at real rows.
        targets: (B,) int64, the output column of each text's label.
        class_mask: (B, C) bool, true at the output columns that are allowed for each text.
        experience: (B,) int64, the index of the experience that each text belongs to.
        encoded: Whether ``rows`` are outputs of the learner's frozen prefix.
    """

    rows: Tensor
    mask: Tensor
    targets: Tensor
    class_mask: Tensor
    experience: Tensor
    encoded: bool = True

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """This batch on ``device``; Lightning moves batches through this."""
        names = ("rows", "mask", "targets", "class_mask", "experience")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)


def pad(rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Pads ragged rows to the longest text.

    Args:
        rows: B arrays (T_b, ...) of one dtype.

    Returns:
        Rows (B, T, ...), integers as int64, and the mask (B, T) of real rows.
    """
    lengths = np.array([len(row) for row in rows])
    padded = np.zeros((len(rows), lengths.max(), *rows[0].shape[1:]), dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    tensor = torch.from_numpy(padded)
    if not tensor.is_floating_point():
        tensor = tensor.long()
    return tensor, torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])


def masked_mean(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real rows of each text: (B, T, D) and (B, T) to (B, D).

    Padding has no weight, so a text's mean does not depend on its batch.
    """
    weight = mask.unsqueeze(-1).to(rows.dtype)  # (B, T, 1)
    return (rows * weight).sum(1) / weight.sum(1)


def concatenate(first: Batch, second: Batch) -> Batch:
    """The texts of two batches in one, padded to the longer of the two."""
    length = max(first.mask.shape[1], second.mask.shape[1])

    def join(a: Tensor, b: Tensor) -> Tensor:
        out = a.new_zeros((len(a) + len(b), length, *a.shape[2:]))
        out[: len(a), : a.shape[1]] = a
        out[len(a) :, : b.shape[1]] = b
        return out

    return Batch(
        rows=join(first.rows, second.rows),
        mask=join(first.mask, second.mask),
        targets=torch.cat([first.targets, second.targets]),
        class_mask=torch.cat([first.class_mask, second.class_mask]),
        experience=torch.cat([first.experience, second.experience]),
        encoded=first.encoded,
    )
