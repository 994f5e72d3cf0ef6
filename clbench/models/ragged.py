"""Arrays of different lengths, one per text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RaggedArray(Sequence[np.ndarray]):
    """n arrays of different lengths, one per text: text i is ``values[array[i]][start[i]:stop[i]]``.

    Attributes:
        values: Arrays (N, ...), memory-mapped where they come from disk.
        array: (n,) which of ``values`` a text is in.
        start: (n,) its first row.
        stop: (n,) one past its last row.
    """

    values: tuple[np.ndarray, ...]
    array: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @classmethod
    def from_list(cls, rows: Sequence[np.ndarray]) -> RaggedArray:
        """The given arrays, in memory."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        stop = np.cumsum(lengths)
        return cls((np.concatenate(rows),), np.zeros(len(rows), np.int64), stop - lengths, stop)

    @property
    def lengths(self) -> np.ndarray:
        """(n,) the number of rows of each text."""
        lengths: np.ndarray = self.stop - self.start
        return lengths

    @property
    def row_bytes(self) -> int:
        """Bytes of one row; 0 without texts."""
        return int(self.values[0][:1].nbytes) if self.values else 0

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.values[self.array[index]][self.start[index] : self.stop[index]])

    def chunks(self, rows_at_once: int) -> Iterator[range]:
        """Consecutive positions with about ``rows_at_once`` rows in total, at least one text per chunk."""
        ends = np.cumsum(self.lengths)
        begin = 0
        while begin < len(self):
            before = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + rows_at_once, side="right")))
            yield range(begin, end)
            begin = end

    def select(self, places: Sequence[int] | np.ndarray) -> RaggedArray:
        """The texts at some positions, without a copy of their rows."""
        at = np.asarray(places, dtype=np.int64)
        return RaggedArray(self.values, self.array[at], self.start[at], self.stop[at])

    def packed(self, places: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of some texts one text after the other, in memory of their own.

        Args:
            places: (B,) the positions of the texts, at least one.

        Returns:
            The rows, (N, ...), and the number of rows of each text, (B,) int64.
        """
        at = np.asarray(places, dtype=np.int64)
        array, start, stop = self.array[at], self.start[at], self.stop[at]
        lengths = stop - start
        if (array == array[0]).all():
            return _taken(self.values[array[0]], start, lengths), lengths
        # Slices of several arrays are copied faster than numpy finds out which rows come from which array.
        where = zip(array.tolist(), start.tolist(), stop.tolist(), strict=True)
        return np.concatenate([self.values[each][first:last] for each, first, last in where]), lengths


def _taken(values: np.ndarray, start: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Copies ``lengths[i]`` rows of ``values`` from ``start[i]`` on, for each i."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    shift = start - ends + lengths  # from the place in the copy to the place in ``values``
    if (shift == shift[0]).all():
        return np.array(values[shift[0] : shift[0] + total])
    return values.take(np.repeat(shift, lengths) + np.arange(total), axis=0)
