"""Keys as moving averages with counts, and new places for dead ones.

The rule of van den Oord et al. 2017 (arXiv 1711.00937, appendix A.1) with the dead-code reset of
github.com/lucidrains/vector-quantize-pytorch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.codebook import assigned
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.learner import TextReader

LEAST = 2.0
"""Queries per step below which a key is dead."""


class Averages(KeyStrategy):
    """N <- (1 - a) N + a n, S <- (1 - a) S + a sum(x), key = S / N, for the n queries x nearest to a key.

    A key with N under 2 goes to a random query of the step, and N is then 2.

    Attributes:
        numbers: N, (H, K): queries per step.
    """

    numbers: Tensor

    def __init__(self, network: Bottleneck, batch_size: int, decay: float) -> None:
        super().__init__(network, batch_size, decay)
        self.register_buffer("numbers", torch.zeros(network.keys.shape[:2]))

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """N is the mean over the steps of the first experience."""
        counts, steps = self.counts(network, reader)
        self.numbers.copy_(counts / steps)

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """One pass; returns the keys that were dead in some step."""
        keys = network.codebooks.read().clone()
        replaced = torch.zeros(keys.shape[:2], dtype=torch.bool)
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                if len(each):
                    dead = average(keys[head], self.numbers[head], each, self.decay, generator)
                    replaced[head] |= dead.cpu()
        network.codebooks.write(keys)
        return replaced


def average(
    keys: Tensor, numbers: Tensor, queries: Tensor, decay: float, generator: torch.Generator
) -> Tensor:
    """One step of keys (K, d) and N (K,), in place, by queries (n, d); returns which keys were dead, (K,)."""
    sums, counts = assigned(keys, queries)
    total = numbers.lerp(counts.to(numbers.dtype), decay)
    # S / N with S = N key before: a key without queries stays.
    share = decay * counts / total.clamp(min=1e-30)
    keys.lerp_(sums / counts.clamp(min=1).unsqueeze(1), share.unsqueeze(1))
    numbers.copy_(total)
    dead = numbers < LEAST
    drawn = torch.randint(len(queries), (int(dead.sum()),), generator=generator)
    keys[dead] = queries[drawn].to(keys.device)
    numbers[dead] = LEAST
    return dead
