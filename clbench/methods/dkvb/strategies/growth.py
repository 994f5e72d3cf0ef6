"""New keys where queries are far from every key, up to a budget; keys that are there stay."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.learner import TextReader

QUANTILE = 0.99
"""Of the distances in the first experience: what is further is far."""


class Growth(KeyStrategy):
    """A query further than tau from every key of its head becomes a key, while there is room.

    Attributes:
        reach: tau, (H,): the 0.99 quantile of the distances of queries from their keys in the first
            experience.
    """

    reach: Tensor

    def __init__(self, network: Bottleneck, batch_size: int, decay: float) -> None:
        super().__init__(network, batch_size, decay)
        self.register_buffer("reach", torch.zeros(network.keys.shape[0]))

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """The distance tau of each head."""
        books = network.codebooks
        keys = books.read()
        found: list[list[Tensor]] = [[] for _ in keys]
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                nearest = books.nearest(each.contiguous(), head, keys)[:, 0]
                found[head].append((each - keys[head][nearest.to(keys.device)].to(each.device)).norm(dim=1))
        for head, distances in enumerate(found):
            sorted_ = torch.cat(distances).sort().values
            if len(sorted_):  # torch.quantile takes at most 16 million numbers
                self.reach[head] = sorted_[int(QUANTILE * (len(sorted_) - 1))]

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """One pass; a new key is none that was replaced."""
        books = network.codebooks
        assert books.sizes is not None
        keys = books.read().clone()
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                size = books.size(head)
                new = grown(keys[head, :size], each, float(self.reach[head]), keys.shape[1] - size)
                keys[head, size : size + len(new)] = new
                books.sizes[head] = size + len(new)
        books.write(keys)
        return None


def grown(keys: Tensor, queries: Tensor, reach: float, room: int) -> Tensor:
    """The queries (n, d) that become keys beside keys (K, d), one after the other: at most ``room``."""
    queries = queries.to(keys.device)
    far = queries[_distances(queries, keys) > reach]
    new: list[Tensor] = []
    while len(far) and len(new) < room:
        new.append(far[0])
        far = far[(far - far[0]).norm(dim=1) > reach]
    return torch.stack(new) if new else keys[:0]


def _distances(queries: Tensor, keys: Tensor, chunk: int = 4096) -> Tensor:
    """The distance of each query (n, d) from the key nearest to it."""
    parts = [torch.cdist(part, keys).amin(1) for part in queries.split(chunk)]
    return torch.cat(parts) if parts else queries.new_zeros(0)
