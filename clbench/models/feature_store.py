"""Arrays of different lengths, in memory or in a cache on disk with a byte budget."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from clbench.core.costs import Cost

SHARD_BYTES = 256 << 20
"""Rows are written to disk whenever this much has been computed."""
_PARTS = ("values", "stop", "keys", "costs")


class Store:
    """The rows of many texts in one folder, as shards of memory-mapped arrays.

    A shard is a folder with the files ``values``, ``stop``, ``keys`` and ``costs``. It is written under a
    temporary name and then renamed, so readers never see a partial shard. ``Budget`` may remove a shard at
    any time; processes that have mapped it can still read it.

    Attributes:
        folder: Where the shards are; made if it is not there.
        lock: Held while rows are added, so that two processes do not do the same work.
        places: By key of a text: the index of its array, its first row, and the row after its last.
        costs: By key of a text: the cost of its rows in the encoder, and after the encoder.
    """

    def __init__(self, folder: Path, lock: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = FileLock(lock)
        self.places: dict[bytes, tuple[int, int, int]] = {}
        self.costs: dict[bytes, tuple[Cost, Cost]] = {}
        self._values: list[np.ndarray] = []
        self._shards: list[Path] = []
        self.refresh()

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Positions of the keys that have no rows yet, each key once. Looks for new shards first."""
        if any(key not in self.places for key in keys):
            self.refresh()
        absent = {key: at for at, key in reversed(list(enumerate(keys))) if key not in self.places}
        return sorted(absent.values())

    def refresh(self) -> None:
        """Maps shards that are new since the last call, and removes damaged ones."""
        for shard in sorted(self.folder.glob("shard-*")):
            if shard in self._shards:
                continue
            try:
                self._open(shard, shard)
            except FileNotFoundError:
                continue  # another process removed it between the listing and the reading
            except (ValueError, EOFError):
                shutil.rmtree(shard, ignore_errors=True)  # cut short when the machine went down

    def _open(self, found: Path, shard: Path) -> None:
        """Maps the files in the folder ``found``, which is or will be renamed to ``shard``."""
        values, stop, keys, costs = (np.load(found / f"{part}.npy", mmap_mode="r") for part in _PARTS)
        start = np.concatenate([[0], stop[:-1]])
        for row, first, last, cost in list(zip(keys, start, stop, costs, strict=True)):
            key = row.tobytes()
            self.places[key] = (len(self._values), int(first), int(last))
            encode, after = cost.tolist()  # of each, seconds and operations
            self.costs[key] = (Cost(encode[0], int(encode[1])), Cost(after[0], int(after[1])))
        self._values.append(np.asarray(values))  # without numpy's slow memmap class
        self._shards.append(shard)

    def rows(self, keys: Sequence[bytes]) -> RaggedArray:
        """The rows of texts that are all in the store. Marks their shards as recently used."""
        places = [self.places[key] for key in keys]
        array, start, stop = (np.array([place[part] for place in places], np.int64) for part in range(3))
        for used in np.unique(array):
            with suppress(FileNotFoundError):  # evicted; what was opened stays readable
                os.utime(self._shards[used])
        return RaggedArray(tuple(self._values), array, start, stop)

    def write(
        self, keys: Sequence[bytes], rows: Sequence[np.ndarray], costs: Sequence[tuple[Cost, Cost]]
    ) -> Path:
        """Writes one shard, maps it and returns its folder. The caller holds the lock."""
        for leftover in self.folder.glob(".partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
        shard = self.folder / f"shard-{hashlib.blake2b(b''.join(keys), digest_size=12).hexdigest()}"
        temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.folder))
        try:
            np.save(temporary / "values.npy", np.concatenate(rows))
            np.save(temporary / "stop.npy", np.cumsum([len(row) for row in rows]))
            np.save(temporary / "keys.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1))
            parts = [[(part.seconds, part.flops) for part in both] for both in costs]
            np.save(temporary / "costs.npy", np.array(parts, dtype=np.float64))  # (n, 2, 2)
            if not shard.exists():
                self._open(temporary, shard)  # before another process can see it, and evict it
                os.rename(temporary, shard)  # noqa: PTH104 - a folder onto a free name
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return shard


class Budget:
    """Keeps the size of all stores under ``folder`` within a limit, by removing least recently used shards.

    Removed rows are computed again when they are next needed.

    Args:
        folder: Of the stores.
        limit: In bytes; None means no limit.
    """

    def __init__(self, folder: Path, limit: int | None) -> None:
        self.folder = folder
        self.limit = limit

    def enforce(self, keep: Collection[Path] = ()) -> None:
        """Removes least recently used shards until the rest fits, except those in ``keep``."""
        if self.limit is None:
            return
        with FileLock(self.folder / "budget.lock"):
            for leftover in self.folder.glob("*/.evicted-*"):
                shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
            shards = []
            for shard in self.folder.glob("*/shard-*"):
                try:
                    size = sum(file.stat().st_size for file in shard.iterdir())
                    shards.append((shard.stat().st_mtime, shard, size))
                except FileNotFoundError:
                    continue
            total = sum(size for _, _, size in shards)
            for _, shard, size in sorted(shards):
                if total <= self.limit:
                    break
                if shard not in keep:
                    _remove(shard)
                    total -= size


def _remove(shard: Path) -> None:
    """Renames a shard before it is deleted, so that no process reads a partial one."""
    gone = shard.with_name(f".evicted-{shard.name}-{os.getpid()}")
    try:
        shard.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


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


class ShardWriter:
    """Collects rows and writes a shard whenever they reach ``SHARD_BYTES``."""

    def __init__(self, store: Store, budget: Budget) -> None:
        self._store = store
        self._budget = budget
        self._pending: list[tuple[bytes, np.ndarray, tuple[Cost, Cost]]] = []
        self._bytes = 0
        self._written: set[Path] = set()

    def add(self, key: bytes, rows: np.ndarray, costs: tuple[Cost, Cost]) -> None:
        """Adds the rows of one text and what they took: in the encoder, and after it."""
        if key in self._store.places:  # beside what was asked for
            return
        self._pending.append((key, rows, costs))
        self._bytes += rows.nbytes
        if self._bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending as one shard."""
        if self._pending:
            keys, rows, costs = zip(*self._pending, strict=True)
            self._written.add(self._store.write(keys, rows, costs))
            self._budget.enforce(keep=self._written)
            self._pending.clear()
            self._bytes = 0
