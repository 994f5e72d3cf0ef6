"""Ragged rows of many texts, in memory or mapped from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows(Sequence[np.ndarray]):
    """Ragged rows of n texts: text i is ``values[array[i]][start[i]:stop[i]]``.

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
    def from_list(cls, rows: Sequence[np.ndarray]) -> Rows:
        """The given arrays, in memory."""
        stop = np.cumsum([len(row) for row in rows])
        start = np.concatenate([[0], stop[:-1]]).astype(np.int64)
        return cls((np.concatenate(rows),), np.zeros(len(rows), np.int64), start, stop)

    @property
    def lengths(self) -> np.ndarray:
        """(n,) the number of rows of each text."""
        lengths: np.ndarray = self.stop - self.start
        return lengths

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.values[self.array[index]][self.start[index] : self.stop[index]])

    def chunks(self, rows_at_once: int) -> Iterator[range]:
        """Consecutive positions that have about ``rows_at_once`` rows together, at least one text each."""
        ends = np.cumsum(self.lengths)
        begin = 0
        while begin < len(self):
            before = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + rows_at_once, side="right")))
            yield range(begin, end)
            begin = end

    def packed(self, places: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of some texts one after the other, (N, ...), and how many each has, (len(places),)."""
        return np.concatenate([self[at] for at in places]), self.lengths[list(places)]
