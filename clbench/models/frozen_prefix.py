"""The frozen prefix of a network: everything before its first trainable parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch, masked_mean
from clbench.core.costs import Cost, FlopCounter, clock
from clbench.core.device import compute_device
from clbench.models.encoder import TextEncoder
from clbench.models.ragged import RaggedArray

Pooling = Literal["states", "mean", "cls", "last", "padded", "predictions"]
Transform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class FrozenPrefix:
    """A pure function of the text. It is evaluated once per text; training starts from its output.

    Attributes:
        pooling: What is kept of the frozen encoder's token states: ``states`` (all tokens), ``mean``, ``cls``
            (the first token), ``last`` (the last token), ``padded`` (all positions of a text padded
            to the length limit), or of a language model ``predictions`` (of all tokens but the last: the
            state, the token that follows, and its log-probability).
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
        states, mask = kept(encoder, encoder.frozen_states(rows, mask), rows, mask, self.pooling)
        packed, lengths = states[mask], mask.sum(1)
        if self.transform is not None:
            with torch.no_grad():
                found = self.transform(packed.cpu(), lengths.cpu())
            packed, lengths = (each.to(batch.rows.device) for each in found)
        return replace(batch, rows=packed, lengths=lengths, encoded=True)


def kept(
    encoder: TextEncoder, states: Tensor, rows: Tensor, mask: Tensor, pooling: Pooling
) -> tuple[Tensor, Tensor]:
    """What a prefix keeps of token states (B, T, D) of tokens (B, T, 2), and its mask."""
    return (
        encoder.predictions(states, rows, mask) if pooling == "predictions" else pooled(states, mask, pooling)
    )


def pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> tuple[Tensor, Tensor]:
    """Pools token states (B, T, D) with mask (B, T); returns the pooled states and their mask."""
    if pooling == "mean":
        return masked_mean(states, mask).unsqueeze(1), mask[:, :1]
    if pooling == "cls":
        return states[:, :1], mask[:, :1]
    if pooling == "last":
        ends = mask.sum(1, keepdim=True).unsqueeze(2) - 1  # (B, 1, 1)
        return states.gather(1, ends.expand(-1, -1, states.shape[2])), mask[:, :1]
    return states, torch.ones_like(mask) if pooling == "padded" else mask


LENGTH_STEP = 16
"""Texts are padded to a multiple of this many tokens."""
TOKENS_PER_BATCH = {"cpu": 512, "cuda": 65536}
"""Tokens in one encoder batch, padding included. More are hardly faster, and small requests fill no batch."""


class Encoded(NamedTuple):
    """Some texts after the encoder.

    Attributes:
        places: (n,) their positions.
        rows: By pooling: the rows of all texts one after the other, (N, D) in float32, and the number of
            rows of each, (n,).
        cost: Of each text.
    """

    places: np.ndarray
    rows: dict[Pooling, tuple[np.ndarray, np.ndarray]]
    cost: Cost


def encode(
    encoder: TextEncoder,
    tokens: RaggedArray,
    poolings: Sequence[Pooling] = ("states",),
    pad_to: int | None = None,
) -> Iterator[Encoded]:
    """Encodes tokenized texts, shortest first, in batches of a fixed shape per length.

    The shape of a batch decides in which order floating point kernels sum. With a fixed shape per length, the
    states of a text are the same, bit for bit, whatever texts share its batch. Texts that need no padding
    have batches of their own: without padding, attention may take another kernel, one without a mask.

    Args:
        encoder: The frozen encoder.
        tokens: (T, 2) token and segment ids of each text.
        poolings: What is kept of the states.
        pad_to: Pad every text to this many tokens.

    Yields:
        Each text once.
    """
    device = compute_device()
    lengths = tokens.lengths
    shapes = np.full_like(lengths, pad_to) if pad_to else -(-lengths // LENGTH_STEP) * LENGTH_STEP
    encoder.frozen()  # so that no text is charged with the time to read the weights
    for length, full in sorted(set(zip(shapes.tolist(), (shapes == lengths).tolist(), strict=True))):
        places = np.flatnonzero((shapes == length) & ((lengths == length) == full))
        size = max(1, TOKENS_PER_BATCH[device.type] // length)
        counter = FlopCounter()
        for begin in range(0, len(places), size):
            chosen = places[begin : begin + size]
            started = clock()
            with nullcontext() if begin else counter:  # batches of one shape take the same operations
                # The last batch is filled up with copies: the shape decides the rounding.
                rows, mask = _fixed(*tokens.packed(np.resize(chosen, size)), length)
                rows, mask = rows.to(device), mask.to(device)
                states = encoder.frozen_states(rows, mask)
                found = {
                    each: _packed(*kept(encoder, states, rows, mask, each), len(chosen)) for each in poolings
                }
            yield Encoded(chosen, found, Cost((clock() - started) / len(chosen), counter.total // size))


def _fixed(rows: np.ndarray, lengths: np.ndarray, length: int) -> tuple[Tensor, Tensor]:
    """Tokens (N, 2) of B texts, padded to (B, length, 2), and their mask."""
    mask = np.arange(length) < lengths[:, None]
    out = np.zeros((*mask.shape, *rows.shape[1:]), rows.dtype)
    out[mask] = rows
    return torch.from_numpy(out), torch.from_numpy(mask)


def _packed(rows: Tensor, mask: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The real rows of the first ``count`` texts one after the other, and how many each has."""
    rows, mask = rows[:count], mask[:count]
    return rows[mask].cpu().numpy(), mask.sum(1).cpu().numpy()
