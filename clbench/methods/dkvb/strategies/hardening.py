"""Keys that move less the more queries they have had: online k-means (MacQueen 1967)."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.codebook import assigned
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.learner import TextReader


class Hardening(KeyStrategy):
    """For each query x, of the key nearest to it: N <- N + 1, key <- key + (x - key) / N.

    The queries of a step are assigned before any key moves.

    Attributes:
        numbers: N, (H, K).
    """

    numbers: Tensor

    def __init__(self, network: Bottleneck, batch_size: int, decay: float) -> None:
        super().__init__(network, batch_size, decay)
        self.register_buffer("numbers", torch.zeros(network.keys.shape[:2]))

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """N counts the queries of the first experience."""
        self.numbers.copy_(self.counts(network, reader)[0])

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """One pass; no key is replaced."""
        keys = network.codebooks.read().clone()
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                harden(keys[head], self.numbers[head], each)
        network.codebooks.write(keys)
        return None


def harden(keys: Tensor, numbers: Tensor, queries: Tensor) -> None:
    """One step of keys (K, d) and N (K,), in place, by queries (n, d)."""
    sums, counts = assigned(keys, queries)
    numbers += counts
    keys.lerp_(sums / counts.clamp(min=1).unsqueeze(1), (counts / numbers.clamp(min=1)).unsqueeze(1))
