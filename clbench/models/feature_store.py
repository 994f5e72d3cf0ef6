"""The rows of texts in a cache on disk, as shards of memory-mapped arrays."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from clbench.models.feature_budget import Budget
from clbench.models.feature_costs import key_list
from clbench.models.ragged import RaggedArray

SHARD_BYTES = 256 << 20
"""Rows are written to disk whenever this much has been computed."""
SLOTS = 16
"""Parts of the space of keys, each with a lock of its own."""
_NO_TABLES = (*[np.zeros(0, np.int64)] * 3, np.zeros((0, 2, 2)))  # array, start, stop and costs of no text


class Store:
    """The rows of many texts in one folder, as shards of memory-mapped arrays.

    A shard is a folder with the files ``values``, ``stop``, ``keys`` and ``costs``. It is written under a
    temporary name and then renamed, so readers never see a partial shard. ``Budget`` may remove a shard at
    any time; processes that have mapped it can still read it.

    Each key belongs to one of ``SLOTS`` slots. Who writes rows holds the locks of their slots, so that two
    processes do not do the same work.

    Args:
        folder: Where the shards are; made if it is not there.
        locks: The beginning of the paths of the locks. Stores that are written together share their locks.
    """

    def __init__(self, folder: Path, locks: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._locks = locks
        self._numbers: dict[bytes, int] = {}  # of the rows of the tables below
        self._tables: list[tuple[np.ndarray, ...]] = []  # of each shard: array, start, stop, costs
        self._values: list[np.ndarray] = []
        self._shards: dict[str, None] = {}  # names, in the order of ``_values``
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

    def lock(self, slot: int) -> Path:
        """The path of the lock of a slot."""
        return self._locks.with_name(f"{self._locks.name}-{slot}.lock")

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Positions of the keys that have no rows yet, each key once. Looks for new shards first."""
        if any(key not in self._numbers for key in keys):
            self.refresh()
        absent = {key: at for at, key in reversed(list(enumerate(keys))) if key not in self._numbers}
        return sorted(absent.values())

    def refresh(self) -> None:
        """Maps shards that are new since the last call, and removes damaged ones."""
        for shard in sorted(self.folder.glob("shard-*")):
            if shard.name in self._shards:
                continue
            try:
                self._open(shard, shard.name)
            except FileNotFoundError:
                continue  # another process removed it between the listing and the reading
            except (ValueError, EOFError):
                shutil.rmtree(shard, ignore_errors=True)  # cut short when the machine went down

    def _open(self, found: Path, name: str) -> None:
        """Maps the files in the folder ``found``, which has or will get the given name."""
        values = np.asarray(np.load(found / "values.npy", mmap_mode="r"))  # plain arrays are faster to index
        stop, keys, costs = (np.load(found / f"{part}.npy") for part in ("stop", "keys", "costs"))
        if not len(stop) == len(keys) == len(costs):
            raise ValueError(f"{found}: files of different lengths")
        start = np.concatenate([[0], stop[:-1]])
        array = np.full(len(stop), len(self._values), np.int64)
        self._numbers.update(zip(key_list(keys), range(self._texts, self._texts + len(keys)), strict=True))
        self._texts += len(keys)
        self._tables.append((array, start, stop, costs))
        self._values.append(values)
        self._shards[name] = None

    def rows(self, keys: Sequence[bytes]) -> tuple[RaggedArray, np.ndarray]:
        """The rows of n texts that are all in the store, and their costs.

        Their shards are marked as recently used.

        Returns:
            The rows, and (n, 2, 2) the cost of each text in the encoder and after it, in seconds and
            operations.
        """
        if len(self._tables) > 1:
            self._tables = [tuple(np.concatenate(parts) for parts in zip(*self._tables, strict=True))]
        at = np.fromiter(map(self._numbers.__getitem__, keys), np.int64, len(keys))
        tables = self._tables[0] if self._tables else _NO_TABLES
        array, start, stop, costs = (table[at] for table in tables)
        names = list(self._shards)
        for used in np.unique(array):
            with suppress(FileNotFoundError):  # evicted; what was opened stays readable
                os.utime(self.folder / names[used])
        return RaggedArray(tuple(self._values), array, start, stop), costs

    def write(
        self, keys: Sequence[bytes], values: np.ndarray, lengths: np.ndarray, costs: np.ndarray, slots: range
    ) -> Path:
        """Writes one shard, maps it and returns its folder.

        Args:
            keys: Of n texts.
            values: (N, ...) their rows, one text after the other.
            lengths: (n,) the number of rows of each.
            costs: (n, 2, 2), see ``rows``.
            slots: The slots of the keys, whose locks the caller holds.
        """
        for slot in slots:
            for leftover in self.folder.glob(f".partial-{slot}-*"):
                shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
        shard = self.folder / f"shard-{hashlib.blake2b(b''.join(keys), digest_size=12).hexdigest()}"
        temporary = Path(tempfile.mkdtemp(prefix=f".partial-{slots[0]}-", dir=self.folder))
        try:
            np.save(temporary / "values.npy", values)
            np.save(temporary / "stop.npy", np.cumsum(lengths))
            np.save(temporary / "keys.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1))
            np.save(temporary / "costs.npy", costs)
            if not shard.exists():
                self._open(temporary, shard.name)  # before another process can see it, and evict it
                os.rename(temporary, shard)  # noqa: PTH104 - a folder onto a free name
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return shard


class ShardWriter:
    """Collects rows and writes a shard whenever they reach ``SHARD_BYTES``.

    Args:
        store: Where the shards go.
        budget: Is kept while they are written.
        slots: Of all keys; the caller holds their locks.
    """

    def __init__(self, store: Store, budget: Budget, slots: range) -> None:
        self._store = store
        self._budget = budget
        self._slots = slots
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
            self._written.add(self._store.write(self._keys, rows, lengths, costs, self._slots))
            self._budget.enforce(keep=self._written)
            self._keys, self._pending, self._bytes = [], [], 0
