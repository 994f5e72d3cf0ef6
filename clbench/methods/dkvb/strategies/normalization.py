"""Queries that are moved to where those of the first experience were; keys stay."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.learner import TextReader

TINY = 1e-8
"""Keeps the quotient of a deviation of zero finite."""


class Normalization(KeyStrategy):
    """q' = (q - m) s_1 / s + m_1: m, s are running means and deviations, m_1, s_1 those of experience 1.

    It keeps a running mean of q and of its square, a step for each batch of texts.

    Attributes:
        first: Mean and mean square of the queries of the first experience, (2, H, d).
        running: The running ones.
    """

    first: Tensor
    running: Tensor

    def __init__(self, network: Bottleneck, batch_size: int, decay: float) -> None:
        super().__init__(network, batch_size, decay)
        network.codebooks.normalize()
        heads, _, size = network.keys.shape
        self.register_buffer("first", torch.zeros(2, heads, size))
        self.register_buffer("running", torch.zeros(2, heads, size))

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """The statistics of the first experience, from which the running ones go on."""
        sums, counts = torch.zeros_like(self.first), torch.zeros(self.first.shape[1])
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                sums[:, head] += torch.stack([each.sum(0), each.square().sum(0)]).to(sums.device)
                counts[head] += len(each)
        self.first.copy_(sums / counts.clamp(min=1).to(sums.device).view(1, -1, 1))
        self.running.copy_(self.first)

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """One pass; no key is replaced."""
        books = network.codebooks
        assert books.factor is not None
        assert books.offset is not None
        for vectors in self.batches(network, reader):
            follow(self.running, vectors, self.decay)
        books.factor.copy_(_deviation(self.first) / _deviation(self.running))
        books.offset.copy_(self.first[0] - self.running[0] * books.factor)
        return None


def follow(running: Tensor, vectors: Iterable[Tensor], decay: float) -> None:
    """One step of running means (2, H, d) of queries and their squares, in place, by those of each head."""
    for head, each in enumerate(vectors):
        if len(each):
            now = torch.stack([each.mean(0), each.square().mean(0)]).to(running.device)
            running[:, head] = running[:, head].lerp(now, decay)


def _deviation(statistics: Tensor) -> Tensor:
    mean, square = statistics.unbind()
    return (square - mean.square()).clamp(min=TINY).sqrt()
