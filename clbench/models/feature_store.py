"""The rows of texts in a cache on disk, as shards of memory-mapped arrays."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from clbench.models.cache_files import DamagedError, drop, used, verify, write_shard
from clbench.models.feature_budget import Budget
from clbench.models.feature_costs import key_list
from clbench.models.ragged import RaggedArray

SHARD_BYTES = 256 << 20
"""Rows are written to disk whenever this much has been computed."""
SLOTS = 16
"""Parts of the space of keys, each with a lock of its own."""
_SMALL = ("stop.npy", "keys.npy", "costs.npy")
_VALUES = "values.npy"


@dataclass
class _Shard:
    """One shard: its folder, None if it could not be written, and its rows, None until they are needed."""

    folder: Path | None
    values: np.ndarray | None


class Held(NamedTuple):
    """Locks of a store that a process holds.

    Attributes:
        group: The group of the texts.
        slots: Their slots.
    """

    group: str
    slots: range


class Store:
    """The rows of many texts in one folder, as shards of memory-mapped arrays.

    A shard is a folder with the files ``values``, ``stop``, ``keys`` and ``costs``, and their checksums,
    which are compared when a file is first read. It is written under a temporary name and then renamed, so
    readers never see a partial shard. ``Budget`` may remove a shard at any time; processes that have mapped
    it can still read it. A shard that cannot be written stays in memory.

    Each key belongs to one of ``SLOTS`` slots. Who writes rows of a group of texts holds the locks of their
    slots, so that two processes do not do the same work.

    Args:
        folder: Where the shards are; made when the first one is written.
        locks: The beginning of the paths of the locks. Stores that are written together share their locks.
        warned: Is told of an error in writing.
    """

    def __init__(self, folder: Path, locks: Path, warned: Callable[[OSError], None]) -> None:
        self.folder = folder
        self.warned = warned
        self._locks = locks
        self._numbers: dict[bytes, int] = {}  # of the rows of the tables below
        self._tables: list[tuple[np.ndarray, ...]] = []  # of each shard: its number, start, stop, costs
        self._shards: list[_Shard] = []
        self._known: set[str] = set()
        self._texts = 0
        self.refresh()

    def __contains__(self, key: bytes) -> bool:
        return key in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @staticmethod
    def slot(key: bytes) -> int:
        """The slot of a key."""
        return key[0] * SLOTS // 256

    def lock(self, slot: int, group: str) -> Path:
        """The path of the lock of a slot, for texts of a group; see ``FeatureCache.features``."""
        return self._locks.with_name(f"{self._locks.name}-{group}-{slot}.lock")

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Positions of the keys that have no rows, each key once.

        Looks for new shards first, and checks those that the other keys are in.
        """
        if any(key not in self._numbers for key in keys):
            self.refresh()
        self._map(keys)
        absent: dict[bytes, int] = {}
        for at, key in enumerate(keys):
            if key not in self._numbers:
                absent.setdefault(key, at)
        return list(absent.values())

    def refresh(self) -> None:
        """Takes in shards that are new since the last call, and removes damaged ones."""
        for shard in sorted(self.folder.glob("shard-*")):
            if shard.name in self._known:
                continue
            try:
                verify(shard, *_SMALL)
                self._take(shard, None, *(np.load(shard / name) for name in _SMALL))
            except (FileNotFoundError, PermissionError):
                continue  # another process removed it between the listing and the reading, or owns it
            except DamagedError as error:
                drop(shard, error)

    def _take(
        self,
        folder: Path | None,
        values: np.ndarray | None,
        stop: np.ndarray,
        keys: np.ndarray,
        costs: np.ndarray,
    ) -> None:
        start = np.concatenate([[0], stop[:-1]])
        number = np.full(len(stop), len(self._shards), np.int64)
        fresh = dict(zip(key_list(keys), range(self._texts, self._texts + len(keys)), strict=True))
        # Of two views of keys the shorter one is gone through; of a dict, all of it.
        if not fresh.keys().isdisjoint(self._numbers.keys()):  # what is mapped already stays
            fresh = {key: at for key, at in fresh.items() if key not in self._numbers}
        self._numbers.update(fresh)
        self._texts += len(keys)
        self._tables.append((number, start, stop, costs))
        self._shards.append(_Shard(folder, values))
        if folder is not None:
            self._known.add(folder.name)

    def _table(self) -> tuple[np.ndarray, ...]:
        """Of each text ever taken in: its shard, start, stop and costs."""
        if len(self._tables) != 1:
            none = (*[np.zeros(0, np.int64)] * 3, np.zeros((0, 2, 2)))
            parts = zip(*self._tables, strict=True) if self._tables else ((each,) for each in none)
            self._tables = [tuple(np.concatenate(part) for part in parts)]
        return self._tables[0]

    def _map(self, keys: Sequence[bytes]) -> None:
        """Maps the shards that these keys are in, and forgets those that are damaged or gone."""
        if all(shard.values is not None for shard in self._shards):
            return
        found = [number for key in keys if (number := self._numbers.get(key)) is not None]
        for number in np.unique(self._table()[0][found]).tolist():
            shard = self._shards[number]
            if shard.values is not None or shard.folder is None:
                continue
            try:
                verify(shard.folder, _VALUES)
                shard.values = _mapped(shard.folder)
            except (FileNotFoundError, PermissionError):
                self._forget(number)
            except DamagedError as error:
                drop(shard.folder, error)
                self._forget(number)

    def _forget(self, number: int) -> None:
        shards, folder = self._table()[0], self._shards[number].folder
        self._numbers = {key: at for key, at in self._numbers.items() if shards[at] != number}
        self._shards[number] = _Shard(None, np.zeros(0))
        if folder is not None:
            self._known.discard(folder.name)

    def rows(self, keys: Sequence[bytes]) -> tuple[RaggedArray, np.ndarray]:
        """The rows of n texts, none of which ``missing`` finds any more, and their costs.

        Their shards are marked as recently used.

        Returns:
            The rows, and (n, 2, 2) the cost of each text in the encoder and after it, in seconds and
            operations.
        """
        at = np.fromiter(map(self._numbers.__getitem__, keys), np.int64, len(keys))
        number, start, stop, costs = (table[at] for table in self._table())
        chosen, array = np.unique(number, return_inverse=True)
        shards = [self._shards[each] for each in chosen.tolist()]
        for shard in shards:
            if shard.folder is not None:
                used(shard.folder)
        return RaggedArray(
            tuple(cast(np.ndarray, shard.values) for shard in shards), array, start, stop
        ), costs

    def write(
        self, keys: Sequence[bytes], values: np.ndarray, lengths: np.ndarray, costs: np.ndarray, held: Held
    ) -> Path | None:
        """Writes and maps one shard and returns its folder; None if it had to stay in memory.

        Args:
            keys: Of n texts.
            values: (N, ...) their rows, one text after the other.
            lengths: (n,) the number of rows of each.
            costs: (n, 2, 2), see ``rows``.
            held: The locks that the caller holds: those of the keys.
        """
        for slot in held.slots:
            for leftover in self.folder.glob(f".partial-{held.group}-{slot}-*"):
                shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
        shard = self.folder / f"shard-{hashlib.blake2b(b''.join(keys), digest_size=12).hexdigest()}"
        packed = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)
        small = np.cumsum(lengths), packed, costs
        mapped: list[np.ndarray] = []

        def save(folder: Path) -> None:
            for name, content in zip((_VALUES, *_SMALL), (values, *small), strict=True):
                np.save(folder / name, content)

        try:
            # Mapped before another process can see it, and evict it.
            write_shard(
                shard,
                f".partial-{held.group}-{held.slots[0]}-",
                save,
                lambda folder: mapped.append(_mapped(folder)),
            )
        except OSError as error:
            self.warned(error)
            self._take(None, values, *small)
            return None
        self._take(shard, mapped[0], *small)
        return shard


def _mapped(folder: Path) -> np.ndarray:
    return np.asarray(np.load(folder / _VALUES, mmap_mode="r"))  # plain arrays are faster to index


class ShardWriter:
    """Collects rows and writes a shard whenever they reach ``SHARD_BYTES``.

    Args:
        store: Where the shards go.
        budget: Is kept while they are written.
        held: The locks that the caller holds: those of all keys.
    """

    def __init__(self, store: Store, budget: Budget, held: Held) -> None:
        self._store = store
        self._budget = budget
        self._held = held
        self._keys: list[bytes] = []
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._bytes = 0
        self._written: set[Path] = set()

    def add(self, keys: Sequence[bytes], rows: np.ndarray, lengths: np.ndarray, costs: np.ndarray) -> None:
        """Adds the rows (N, ...) of n texts, the lengths (n,) and costs (n, 2, 2); see ``Store.write``."""
        new = np.array([key not in self._store for key in keys])
        if not new.all():  # there already, beside what was asked for
            keys = [key for key, wanted in zip(keys, new, strict=True) if wanted]
            rows, lengths, costs = rows[np.repeat(new, lengths)], lengths[new], costs[new]
        if keys:
            self._keys += keys
            self._pending.append((rows, lengths, costs))
            self._bytes += rows.nbytes
        if self._bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending as one shard."""
        if self._pending:
            rows, lengths, costs = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
            written = self._store.write(self._keys, rows, lengths, costs, self._held)
            self._written |= {written} if written is not None else set()
            self._budget.wrote(self._bytes, keep=self._written)
            self._keys, self._pending, self._bytes = [], [], 0
