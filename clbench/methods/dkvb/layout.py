"""How token states become queries for codebooks, and selected keys become entries of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from clbench.core.batch import padded
from clbench.core.errors import UserError
from clbench.models.frozen_prefix import Pooling

Segmentation = Literal["hidden", "token"]
Decoder = Literal["non-parametric", "parametric"]
Pooled = Literal["mean", "cls"]
Place = Literal["before", "after"]
Padding = Literal["masked", "reference"]
HEAD_SIZE = 12
"""Dimensions of a head in the paper's single-head code."""


class Queries(NamedTuple):
    """What one head asks its codebook: queries (n, d), the text of each (n,), and its slot there (n,)."""

    vectors: Tensor
    text: Tensor
    slot: Tensor


@dataclass(frozen=True)
class Layout:
    """The shape of a key-value bottleneck for text (arXiv 2412.08528).

    Attributes:
        segmentation: ``hidden`` cuts a token state of D dimensions into H heads, and each token and head is
            a query of D / H numbers; ``token`` cuts the T token positions into H segments, and each segment
            and hidden dimension is a query of T / H numbers.
        pooling: ``mean`` over what is pooled, or ``cls``: the first token alone.
        place: Pool token states ``before`` the bottleneck, or values ``after`` it.
        decoder: ``non-parametric``: a value has one entry per output column and the logits are a mean of
            values; ``parametric``: a value has as many entries as a query, and a linear layer follows.
        heads: H.
        keys: K, per head.
        top_k: Nearest keys per query, their values averaged (arXiv 2207.11240).
        projection: Dimensions to which each head projects the whole token state, by a fixed random matrix
            of its own, instead of taking a slice of it (arXiv 2207.11240); 0 takes slices.
        padding: ``masked``, or ``reference``: texts are padded to T and padding counts, as in the public
            code.
        hidden_size: D, of the encoder.
        max_tokens: T.
    """

    segmentation: Segmentation
    pooling: Pooled
    place: Place
    decoder: Decoder
    heads: int
    keys: int
    top_k: int
    projection: int
    padding: Padding
    hidden_size: int
    max_tokens: int

    def __post_init__(self) -> None:
        for name, least in (("heads", 1), ("keys", 1), ("projection", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} {getattr(self, name)}: {least} or more is possible")
        if self.segmentation == "token":
            if self.place == "before" or self.projection:
                raise UserError("segmentation token: pooling comes after it, and it takes no projection")
            if self.max_tokens % self.heads:
                raise UserError(f"heads {self.heads}: not a divisor of max_tokens {self.max_tokens}")
        elif not self.projection and self.hidden_size % self.heads:
            raise UserError(f"heads {self.heads}: not a divisor of the hidden size {self.hidden_size}")
        if not 1 <= self.top_k <= self.keys:
            raise UserError(f"top_k {self.top_k}: between 1 and the number of keys, {self.keys}, is possible")

    @property
    def key_size(self) -> int:
        """d, the size of a query and of a key."""
        if self.segmentation == "token":
            return self.max_tokens // self.heads
        return self.projection or self.hidden_size // self.heads

    @property
    def groups(self) -> int:
        """G: of how many means the output of the bottleneck consists, before any decoder."""
        if self.decoder == "non-parametric":
            return 1
        return self.heads if self.segmentation == "hidden" else self.hidden_size

    @property
    def query_pooling(self) -> Pooling:
        """What must be kept of token states to make the queries that keys are initialized with."""
        if self.place == "before" and self.pooling == "cls":
            return "cls"
        if self.padding == "reference":
            return "padded"
        return "mean" if self.place == "before" else "states"

    @property
    def prefix_pooling(self) -> Pooling:
        """What must be kept of token states to find the keys that a text selects."""
        alone = self.pooling == "cls" and self.segmentation == "hidden"
        return "cls" if alone else self.query_pooling

    @property
    def selections(self) -> int:
        """The most selections over which a mean goes: for a text of T tokens."""
        tokens = self.max_tokens if self.place == "after" and self.pooling == "mean" else 1
        if self.segmentation == "hidden":
            return self.top_k * tokens * (self.heads if self.groups == 1 else 1)
        segments = self.heads if self.pooling == "mean" else 1
        return self.top_k * segments * (self.hidden_size if self.groups == 1 else 1)

    def queries(self, states: Tensor, lengths: Tensor, projections: Tensor | None) -> Iterator[Queries]:
        """The queries of each head.

        Args:
            states: (N, D), the kept states of B texts one after the other.
            lengths: (B,) how many each has; none has more than T.
            projections: (H, D, d) of the heads, if there are any.
        """
        if self.segmentation == "token":
            yield from self._segments(states, lengths)
            return
        if self.place == "before" and len(states) > len(lengths):  # padded texts, to be averaged
            states, lengths = states.view(len(lengths), -1, states.shape[1]).mean(1), torch.ones_like(lengths)
        text = torch.arange(len(lengths)).repeat_interleave(lengths)
        slot = torch.zeros_like(text)
        for head in range(self.heads):
            place = slice(head * self.key_size, (head + 1) * self.key_size)
            own = states[:, place] if projections is None else states @ projections[head].to(states.device)
            yield Queries(own, text, slot)

    def _segments(self, states: Tensor, lengths: Tensor) -> Iterator[Queries]:
        """Positions after the end of a text are zeros; a segment without any token of a text asks nothing."""
        rows = padded(states, lengths)[0]  # (B, longest, D)
        rows = torch.nn.functional.pad(rows, (0, 0, 0, self.max_tokens - rows.shape[1]))  # (B, T, D)
        for head in range(self.heads):
            text = (lengths > head * self.key_size).nonzero()[:, 0]
            segment = rows[text, head * self.key_size : (head + 1) * self.key_size]  # (n, d, D)
            size = segment.shape[2]
            yield Queries(
                segment.transpose(1, 2).reshape(-1, self.key_size),
                text.repeat_interleave(size),
                torch.arange(size).repeat(len(text)),
            )
