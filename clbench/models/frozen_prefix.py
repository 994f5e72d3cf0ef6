"""The frozen prefix of a network: everything before its first trainable parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch, masked_mean, pack, padded
from clbench.core.costs import Cost, Meter
from clbench.core.device import compute_device
from clbench.models.encoder import TextEncoder

Pooling = Literal["states", "mean", "cls", "padded"]
Transform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class FrozenPrefix:
    """A pure function of the text. It is evaluated once per text; training starts from its output.

    Attributes:
        pooling: What is kept of the frozen encoder's token states: ``states`` (all tokens), ``mean``, ``cls``
            (the first token), or ``padded`` (all positions of a text padded to the length limit).
        transform: Applied to the kept states of B texts, on the CPU. It takes the states of all texts
            concatenated, (N, D), and the number of states of each text, (B,), and returns other rows in the
            same form. None applies nothing.
        address: Identifies ``transform`` in the cache: equal for functions with equal outputs, across
            processes.
    """

    pooling: Pooling
    transform: Transform | None = None
    address: str = ""

    @property
    def key(self) -> tuple[Pooling, str]:
        """Equal for prefixes with equal outputs, given the encoder and the length limit."""
        return self.pooling, self.address

    def __call__(self, encoder: TextEncoder, batch: Batch, max_tokens: int) -> Batch:
        """Applies the prefix to a batch of token rows, without any cache."""
        rows, mask = batch.padded()
        if self.pooling == "padded":
            missing = max_tokens - mask.shape[1]
            rows, mask = F.pad(rows, (0, 0, 0, missing)), F.pad(mask, (0, missing))
        states, mask = pooled(encoder.frozen_states(rows, mask), mask, self.pooling)
        packed, lengths = states[mask], mask.sum(1)
        if self.transform is not None:
            with torch.no_grad():
                found = self.transform(packed.cpu(), lengths.cpu())
            packed, lengths = (each.to(batch.rows.device) for each in found)
        return replace(batch, rows=packed, lengths=lengths, encoded=True)


def pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> tuple[Tensor, Tensor]:
    """Pools token states (B, T, D) with mask (B, T); returns the pooled states and their mask."""
    if pooling == "mean":
        return masked_mean(states, mask).unsqueeze(1), mask[:, :1]
    if pooling == "cls":
        return states[:, :1], mask[:, :1]
    return states, torch.ones_like(mask) if pooling == "padded" else mask


LENGTH_STEP = 16
"""Texts are padded to a multiple of this many tokens."""
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 65536}
"""Tokens in one encoder batch, padding included."""


def encode(
    encoder: TextEncoder, tokens: Sequence[np.ndarray], pad_to: int | None = None
) -> Iterator[tuple[int, np.ndarray, Cost]]:
    """Encodes tokenized texts, shortest first, in batches of a fixed shape per length.

    The shape of a batch decides in which order floating point kernels sum. With a fixed shape per length, the
    states of a text are the same, bit for bit, whatever texts share its batch.

    Args:
        encoder: The frozen encoder.
        tokens: n arrays (T, 2) of token and segment ids.
        pad_to: Pad every text to this many tokens and keep the states of its padding.

    Yields:
        The position of a text, its token states (T, D) in float32, and its share of the cost.
    """
    device = compute_device()
    shapes = [pad_to or -(-len(rows) // LENGTH_STEP) * LENGTH_STEP for rows in tokens]
    for length in sorted(set(shapes)):
        places = [at for at, size in enumerate(shapes) if size == length]
        batch = max(1, TOKENS_PER_BATCH[device.type] // length)
        for begin in range(0, len(places), batch):
            chosen = places[begin : begin + batch]
            # The last batch is filled up with copies: the shape decides the rounding.
            filled = chosen + [chosen[0]] * (batch - len(chosen))
            with Meter().apart() as measured:
                rows, mask = padded(*pack([tokens[at] for at in filled]))
                rows = torch.nn.functional.pad(rows, (0, 0, 0, length - rows.shape[1]))
                mask = torch.nn.functional.pad(mask, (0, length - mask.shape[1]))
                states = encoder.frozen_states(rows.to(device), mask.to(device)).cpu().numpy()
            cost = Cost(measured.cost.seconds / len(chosen), measured.cost.flops // len(filled))
            for at, state in zip(chosen, states, strict=False):
                yield at, state[: pad_to or len(tokens[at])].copy(), cost
