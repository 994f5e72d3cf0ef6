"""Frozen keys that the states of a language model select (arXiv 2412.08528, by head and token)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from clbench.core.errors import UserError
from clbench.methods.dkvb.codebook import move_keys, nearest_keys
from clbench.methods.learner import TextReader
from clbench.models.frozen_prefix import FrozenPrefix

KeyTexts = Literal["generic", "oracle"]
READS: Mapping[KeyTexts, Literal["generic", "stream"]] = {"generic": "generic", "oracle": "stream"}
DECAY = 0.2
TEXTS_PER_STEP = 64
SAMPLE_TEXTS = 1024
"""Texts whose states keys start at."""


class StateKeys(nn.Module):
    """H codebooks of K keys, one for each slice of D / H numbers of a state.

    Args:
        size: D.
        heads: H, a divisor of D.
        keys: K.

    Attributes:
        keys: (H, K, D / H); zeros until ``fit``.
    """

    keys: Tensor

    def __init__(self, size: int, heads: int, keys: int) -> None:
        super().__init__()
        if size % heads:
            raise UserError(f"heads {heads}: not a divisor of the hidden size {size}")
        self.register_buffer("keys", torch.zeros(heads, keys, size // heads))

    @property
    def rows(self) -> int:
        """H x K."""
        return self.keys.shape[0] * self.keys.shape[1]

    def select(self, states: Tensor) -> Tensor:
        """The nearest key of each head, ``head * K + key``: (M, H) int64 of states (M, D)."""
        found = [
            nearest_keys(part.contiguous(), keys)[:, 0] + head * self.keys.shape[1]
            for head, (part, keys) in enumerate(zip(self._slices(states), self.keys, strict=True))
        ]
        return torch.stack(found, 1).to(states.device)

    def address(self) -> str:
        """A hash of the keys as they are now."""
        return hashlib.blake2b(self.keys.cpu().numpy().tobytes(), digest_size=12).hexdigest()

    @torch.no_grad()
    def fit(self, reader: TextReader, generator: torch.Generator, epochs: int, limit: int | None) -> None:
        """Keys start at states of random tokens, then move to the mean of the states nearest to them.

        Args:
            reader: The texts.
            generator: Its seed draws the start.
            epochs: Passes over the texts with an exponential moving average.
            limit: Most texts.
        """
        prefix, width = FrozenPrefix("predictions"), self.keys.shape[0] * self.keys.shape[2]
        address = f"lm-keys {tuple(self.keys.shape)} {epochs} {limit} {DECAY} {generator.initial_seed()}"

        def make() -> dict[str, Tensor]:
            # Its own generator: that of the learner does not depend on whether keys are remembered.
            own = torch.Generator().manual_seed(generator.initial_seed())
            most = min(SAMPLE_TEXTS, limit or SAMPLE_TEXTS)
            parts = [
                batch.rows[:, :width] for batch in reader.batches(TEXTS_PER_STEP, prefix=prefix, limit=most)
            ]
            for head, states in enumerate(self._slices(torch.cat(parts))):
                repeats = -(-self.keys.shape[1] // len(states))
                order = [torch.randperm(len(states), generator=own) for _ in range(repeats)]
                self.keys[head] = states[torch.cat(order)[: self.keys.shape[1]]]
            for _ in range(epochs):
                for batch in reader.batches(TEXTS_PER_STEP, prefix=prefix, limit=limit):
                    move_keys(self.keys, self._slices(batch.rows[:, :width]), DECAY)
            return {"keys": self.keys.clone()}

        self.keys.copy_(reader.remembered(address, make)["keys"])

    def _slices(self, states: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = states.cpu().split(self.keys.shape[2], 1)
        return parts
