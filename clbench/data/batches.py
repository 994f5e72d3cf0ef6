"""Encoded texts as batches: slices of blocks that are gathered at once, with no work per text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

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

    def batch(self, places: Tensor) -> Batch:
        """The texts at ``places`` (B,)."""
        indices = places.numpy()
        rows, lengths = self.rows.packed(indices)
        experience = self.experience[places]
        if self.flops is not None:
            self.meter.charge(Cost(prefix_flops=int(self.flops[indices].sum())))
        return Batch(
            rows=torch.from_numpy(rows),
            lengths=torch.from_numpy(lengths),
            targets=self.targets[places],
            class_mask=self.class_mask[experience],
            experience=experience,
            encoded=self.flops is not None,
        )

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """The texts at ``order`` (n,) in batches of ``size``, which are slices of larger blocks."""
        for block in order.split(self.block(size)):
            whole = self.batch(block)
            yield from [whole] if len(whole) <= size else whole.split(size)

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
    """

    def __init__(self, texts: EncodedTexts, size: int, draw: Callable[[], Tensor], count: int) -> None:
        self.texts, self.size, self._draw, self._count = texts, size, draw, count

    def __len__(self) -> int:
        return -(-self._count // self.size)

    def __iter__(self) -> Iterator[Batch]:
        yield from self.texts.batches(self._draw(), self.size)  # drawn when the first batch is asked for


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
