"""Encoded texts as batches: slices of blocks that are gathered at once, with no work per text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.costs import Cost, Meter
from clbench.models.ragged import RaggedArray

BLOCK_BYTES = 32 << 20
"""Rows that are gathered at once; batches are slices of them."""
WINDOW = 50
"""Batches of token rows among which texts of like length come together."""


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """n texts with their targets.

    Attributes:
        rows: Of each text.
        targets: (n,) their columns.
        experience: (n,) their experiences.
        class_mask: (T, C) the columns that a text of each experience may be given.
        flops: (n,) operations of the frozen prefix for each text; None if the rows are not its outputs.
        meter: Is charged with ``flops`` for each text that is read.
    """

    rows: RaggedArray
    targets: Tensor
    experience: Tensor
    class_mask: Tensor
    flops: np.ndarray | None
    meter: Meter

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, places: Tensor, *, charged: bool = True) -> Batch:
        """The texts at ``places`` (B,); ``charged`` to the meter unless that was done before."""
        indices = places.numpy()
        rows, lengths = self.rows.packed(indices)
        experience = self.experience[places]
        if self.flops is not None and charged:
            self.meter.charge(Cost(prefix_flops=int(self.flops[indices].sum())))
        return Batch(
            rows=torch.from_numpy(rows),
            lengths=torch.from_numpy(lengths),
            targets=self.targets[places],
            class_mask=self.class_mask[experience],
            experience=experience,
            encoded=self.flops is not None,
        )

    def batches(self, order: Tensor, size: int, first: int = 0) -> Iterator[Batch]:
        """The texts at ``order`` (n,) in batches of ``size``, which are slices of larger blocks.

        With ``first`` above 0 it goes on with that batch, after the same call gave those before: the block
        that it is in was charged then, unless the batch is the first of it.
        """
        per_block = self.block(size) // size
        for at, block in enumerate(order.split(per_block * size)):
            if (skipped := max(0, first - at * per_block)) >= -(-len(block) // size):
                continue
            whole = self.batch(block, charged=not skipped)
            yield from [whole] if len(whole) <= size else islice(whole.split(size), skipped, None)

    def block(self, size: int = 1) -> int:
        """How many texts a block has: a multiple of ``size``."""
        per_text = max(1, int(self.rows.lengths.sum()) * self.rows.row_bytes // max(1, len(self)))
        return max(1, BLOCK_BYTES // (per_text * size)) * size


class Batches(Iterable[Batch]):
    """Texts in batches, in an order that is drawn anew each time that they are iterated.

    Args:
        texts: The texts.
        size: Texts per batch; the last batch of an order is smaller.
        draw: Gives the order, positions of texts.
        count: The length of an order.
        generator: What ``draw`` draws from, if it does.
    """

    def __init__(
        self,
        texts: EncodedTexts,
        size: int,
        draw: Callable[[], Tensor],
        count: int,
        generator: torch.Generator | None = None,
    ) -> None:
        self.texts, self.size, self._draw, self._count = texts, size, draw, count
        self._generator = torch.Generator() if generator is None else generator
        self._began = self._generator.get_state()

    def __len__(self) -> int:
        return -(-self._count // self.size)

    def __iter__(self) -> Iterator[Batch]:
        yield from self.starting()

    def starting(self, first: int = 0) -> Iterator[Batch]:
        """A new order, from its batch ``first`` on; it is drawn when the first batch is asked for."""
        self._began = self._generator.get_state()
        yield from self.texts.batches(self._draw(), self.size, first)

    def state_dict(self) -> dict[str, Any]:
        """What the order of the current pass was drawn from."""
        return {"generator": self._began}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Lets the next pass draw the order that the saved one had."""
        self._generator.set_state(state["generator"])


def bucketed(order: Tensor, lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Rearranges a random order so that the texts of a batch have like lengths.

    In each window of ``WINDOW`` batches, texts are sorted by length and the batches shuffled; a text stays
    in its window.

    Args:
        order: (n,) positions of texts.
        lengths: Of all texts.
        size: Texts per batch.
        generator: Shuffles the batches.
    """
    parts = []
    for window in order.split(size * WINDOW):
        whole = len(window) // size * size
        full, rest = window[:whole], window[whole:]
        rows = full[lengths[full].argsort(stable=True)].view(-1, size)
        parts += [rows[torch.randperm(len(rows), generator=generator)].flatten(), rest]
    return torch.cat(parts)
