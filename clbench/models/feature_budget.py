"""The byte budget of the feature cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from clbench.models.cache_files import locked


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
        self._kept = False

    def settle(self) -> None:
        """The same as ``enforce()``, unless nothing was written here since then: it looks at every file."""
        if not self._kept:
            self.enforce()

    def enforce(self, keep: Collection[Path] = ()) -> None:
        """Removes least recently used shards until the rest fits, except those in ``keep``."""
        self._kept = not keep
        if self.limit is None:
            return
        # In a folder that cannot be written, nothing is added and nothing can be removed.
        with locked(self.folder / "budget.lock", lambda error: None):
            for leftover in self.folder.glob("*/.evicted-*"):
                shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
            shards = []
            for shard in self.folder.glob("*/shard-*"):
                try:
                    size = sum(file.stat().st_size for file in shard.iterdir())
                    shards.append((shard.stat().st_mtime, shard, size))
                except OSError:
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
    except OSError:  # it is gone, or cannot be removed
        return
    shutil.rmtree(gone, ignore_errors=True)
