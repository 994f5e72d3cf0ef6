"""Where the keys of a bottleneck come from (arXiv 2412.08528)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.codebook import Update, move_keys
from clbench.methods.dkvb.codebooks import Codebooks
from clbench.methods.dkvb.layout import Queries
from clbench.methods.learner import TextReader
from clbench.models.frozen_prefix import FrozenPrefix

Start = Literal["states", "reference"]


@dataclass(frozen=True)
class KeyInitialization:
    """Keys as moving averages of the queries that they are nearest to, then frozen.

    Attributes:
        epochs: Passes over the texts; 0 leaves the keys where they start.
        batch_size: Texts per step of the moving average.
        decay: Its step.
        update: Towards the mean of the assigned queries, or their sum (``reference``).
        start: At the queries of random texts (``states``), or where they are (``reference``). A key that
            starts far from every query is never the nearest of any.
    """

    epochs: int
    batch_size: int = 256
    decay: float = 0.2
    update: Update = "mean"
    start: Start = "states"

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise UserError(f"init_epochs {self.epochs}: 0 or more is possible")
        if self.batch_size < 1:
            raise UserError(f"init_batch_size {self.batch_size}: 1 or more is possible")
        if not 0 < self.decay <= 1:
            raise UserError(f"decay {self.decay}: more than 0 and at most 1 is possible")

    def apply(
        self,
        network: Bottleneck,
        reader: TextReader,
        generator: torch.Generator,
        *,
        first: bool = True,
    ) -> None:
        """Moves the keys of ``network`` to the texts of ``reader``.

        Args:
            network: Its keys are changed in place.
            reader: The texts.
            generator: Its seed draws the start.
            first: Whether keys start anew, or go on from where they are.
        """
        layout = network.layout
        # The decoder, and pooling after the bottleneck, have no part in it.
        shape = layout.segmentation, layout.place, layout.query_pooling, layout.max_tokens
        address = network.address(self, shape, generator.initial_seed(), first)

        def make() -> dict[str, Tensor]:
            if first and self.start == "states":
                # Its own generator: that of the learner does not depend on whether keys are remembered.
                self._start(network, keys, reader, torch.Generator().manual_seed(generator.initial_seed()))
            for _ in range(self.epochs):
                for vectors in query_batches(network, reader, self.batch_size):
                    move_keys(keys, vectors, self.decay, self.update)
            return {"keys": keys.clone()}

        with torch.no_grad():
            whole = network.codebooks.read().clone()
            keys = whole[:, : network.codebooks.size(0)]  # those that are there, in each head as many
            keys.copy_(reader.remembered(address, make)["keys"])
            network.codebooks.write(whole)

    def _start(
        self, network: Bottleneck, keys: Tensor, reader: TextReader, generator: torch.Generator
    ) -> None:
        """Puts the keys (H, K, d) of each head at random queries, each query about equally often."""
        layout, count = network.layout, keys.shape[1]
        wanted = count if layout.place == "before" else 4 * self.batch_size
        batch = next(reader.batches(wanted, prefix=FrozenPrefix(layout.query_pooling), limit=wanted))
        for head, asked in enumerate(queries(network, batch)):
            size = len(asked.vectors)
            if size == 0:  # no text is long enough to reach this segment
                continue
            repeats = -(-count // size)
            order = torch.cat([torch.randperm(size, generator=generator) for _ in range(repeats)])
            keys[head] = asked.vectors[order[:count]]


@torch.no_grad()
def carry_values(network: Bottleneck, earlier: Codebooks) -> None:
    """After keys have moved: each of these takes the value of the key that was nearest to its new place.

    A text that selected a key before then selects, after the move, a key with about the same value. Values
    that stay with the number of their key come to lie behind other texts.

    Args:
        network: Its values, and all else that it has of each, are changed in place.
        earlier: The keys before they moved.
    """
    before, now = earlier.read(), network.codebooks.read()
    moved = network.codebooks.moved(earlier)
    for head, places in enumerate(moved):
        nearest = earlier.nearest(now[head, places], head, before)[:, 0]
        for table in network.values.tables():
            rows = table.view(*moved.shape, -1)[head]
            rows[places] = rows[nearest]


def queries(network: Bottleneck, batch: Batch) -> Iterator[Queries]:
    """The queries of each head, from a batch past ``FrozenPrefix(layout.query_pooling)``."""
    return network.layout.queries(batch.rows, batch.lengths, network.projections)


def query_batches(network: Bottleneck, reader: TextReader, size: int) -> Iterator[list[Tensor]]:
    """The queries (N_h, d) of each head, of so many texts at a time."""
    for batch in reader.batches(size, prefix=FrozenPrefix(network.layout.query_pooling)):
        yield [asked.vectors for asked in queries(network, batch)]
