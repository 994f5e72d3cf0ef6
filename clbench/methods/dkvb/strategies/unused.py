"""Keys that hardly any query selects go to where queries are; those in use stay.

The rule of CVQ-VAE (Zheng and Vedaldi 2023, arXiv 2307.15139), with random anchors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.codebook import nearest_keys
from clbench.methods.dkvb.key_init import queries
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.learner import TextReader
from clbench.models.frozen_prefix import FrozenPrefix

STEP = 0.01
"""Of the running share of queries that select a key."""
MARGIN = 2e-3
"""Times the length of the longest key: more than what distances by products of matrices are rounded by."""


class Unused(KeyStrategy):
    """u <- 0.99 u + 0.01 p, key <- (1 - a) key + a anchor, a = exp(-10 K u / 0.01 - 0.001).

    p is the share of the queries of a step that are nearest to a key, and an anchor is a random one of them.

    Args:
        network: See ``KeyStrategy``.
        batch_size: Likewise.
        decay: Likewise.
        guarded: Whether earlier texts go on to select what they selected: a key that one of them selected
            does not move at all, and no key moves to where it could be nearer to one of their queries than
            the keys that it selected.

    Attributes:
        usage: u, (H, K).
        reach: With ``guarded``, (H, K): where a query q of an earlier text is nearest to a key and has its
            last selected key at a distance r, the largest |q - key| + r; -1 for keys that none selected. A
            place further than that from the key is further than r from q.
    """

    usage: Tensor
    reach: Tensor | None

    def __init__(self, network: Bottleneck, batch_size: int, decay: float, *, guarded: bool) -> None:
        super().__init__(network, batch_size, decay)
        shape = network.keys.shape[:2]
        self.register_buffer("usage", torch.zeros(shape))
        self.register_buffer("reach", torch.full(shape, -1.0) if guarded else None)

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """The share u is that of the queries of the first experience."""
        counts, _ = self.counts(network, reader)
        self.usage.copy_(counts / counts.sum(1, keepdim=True).clamp(min=1))

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """One pass; no key counts as replaced: those that move have hardly a value."""
        keys = network.codebooks.read().clone()
        for vectors in self.batches(network, reader):
            for head, each in enumerate(vectors):
                if len(each):
                    reach = None if self.reach is None else self.reach[head]
                    use(keys[head], self.usage[head], each, generator, reach)
        network.codebooks.write(keys)
        return None

    @torch.no_grad()
    def remember(self, network: Bottleneck, reader: TextReader) -> None:
        """With ``guarded``: what the texts of an experience select, and from how far."""
        if self.reach is None:
            return
        books, keys, count = network.codebooks, network.codebooks.read(), network.layout.top_k
        for batch in reader.batches(self.batch_size, prefix=FrozenPrefix(network.layout.prefix_pooling)):
            for head, asked in enumerate(queries(network, batch)):
                vectors = asked.vectors.to(keys.device).contiguous()
                found = books.nearest(vectors, head, keys, count)  # (n, k)
                far = (vectors.unsqueeze(1) - keys[head][found]).norm(dim=2)  # (n, k)
                self.reach[head].scatter_reduce_(0, found.flatten(), torch.zeros_like(far).flatten(), "amax")
                self.reach[head].scatter_reduce_(0, found[:, 0], far[:, 0] + far[:, -1], "amax")


def use(
    keys: Tensor, usage: Tensor, vectors: Tensor, generator: torch.Generator, reach: Tensor | None = None
) -> None:
    """One step of keys (K, d) and u (K,), in place, by queries (n, d); for ``reach`` see ``Unused``."""
    vectors = vectors.to(keys.device).contiguous()
    asked = nearest_keys(vectors, keys)[:, 0].bincount(minlength=len(keys))
    usage.lerp_(asked / len(vectors), STEP)
    share = (-10 * len(keys) * usage / STEP - 1e-3).exp()
    drawn = torch.randint(len(vectors), (len(keys),), generator=generator)
    places = keys.lerp(vectors[drawn], share.unsqueeze(1))
    moves = (places != keys).any(1)
    if reach is not None:
        selected = reach >= 0
        moves &= ~selected
        margin = MARGIN * keys.norm(dim=1).max()
        moves[moves.clone()] = clear(places[moves], keys[selected], reach[selected] + margin)
    keys[moves] = places[moves]


def clear(places: Tensor, keys: Tensor, reach: Tensor, chunk: int = 512) -> Tensor:
    """Which places (n, d) are further from each of some keys (m, d) than its reach (m,)."""
    parts = [(torch.cdist(part, keys) > reach).all(1) for part in places.split(chunk)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool, device=places.device)
