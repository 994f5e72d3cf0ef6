"""The frozen prefix of a network: all that comes before its first trainable parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.batch import Batch, masked_mean
from clbench.encoder import TextEncoder

Pooling = Literal["states", "mean", "cls", "padded"]
Then = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Stem:
    """A pure function of the text, evaluated once per text; training starts from its output.

    Attributes:
        pooling: What is kept of the frozen encoder's token states: all of them, their mean, the first
            (``cls``), or all of a text that was padded to the length limit, padding included (``padded``).
        then: What is made of the kept rows of B texts: rows (N, D), one text after the other, and the
            number of rows of each text, (B,), to other rows and their numbers; all on the CPU. None keeps
            them.
        address: Of ``then``: equal for functions that give equal rows, whatever process they are in.
    """

    pooling: Pooling
    then: Then | None = None
    address: str = ""

    @property
    def key(self) -> tuple[Pooling, str]:
        """Equal for stems that give equal rows for one encoder and length limit."""
        return self.pooling, self.address

    def __call__(self, encoder: TextEncoder, batch: Batch, max_tokens: int) -> Batch:
        """Applies the prefix to a batch of token rows, without any cache."""
        rows, mask = batch.rows, batch.mask
        if self.pooling == "padded":
            missing = max_tokens - mask.shape[1]
            rows, mask = F.pad(rows, (0, 0, 0, missing)), F.pad(mask, (0, missing))
        rows, mask = pooled(encoder.frozen_states(rows, mask), mask, self.pooling)
        if self.then is not None:
            with torch.no_grad():
                rows, mask = padded(*self.then(rows[mask].cpu(), mask.sum(1).cpu()))
            rows, mask = rows.to(batch.rows.device), mask.to(batch.rows.device)
        return Batch(rows, mask, batch.targets, batch.allowed, batch.experience, encoded=True)


def pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> tuple[Tensor, Tensor]:
    """What is kept of token states (B, T, D) with mask (B, T), and the mask of what is kept."""
    if pooling == "mean":
        return masked_mean(states, mask).unsqueeze(1), mask[:, :1]
    if pooling == "cls":
        return states[:, :1], mask[:, :1]
    return states, torch.ones_like(mask) if pooling == "padded" else mask


def padded(rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Packed rows (N, ...) of B texts as (B, T, ...), padded with zeros, and the mask (B, T)."""
    longest = int(lengths.max())
    mask = torch.arange(longest, device=rows.device) < lengths.unsqueeze(1)
    out = rows.new_zeros(*mask.shape, *rows.shape[1:])
    out[mask] = rows
    return out, mask
