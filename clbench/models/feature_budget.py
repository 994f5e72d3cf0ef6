"""The byte budget of the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from clbench.models.cache_files import locked

_WRITERS = 8  # processes that are taken to share a cache


class Budget:
    """Keeps the size of a cache within a limit, by removing least recently used shards.

    Removed rows are computed again when they are next needed. Shards of other versions count, and go, like
    all others. What is no shard counts, and stays. The runs of a process share one, which looks at the files
    for all of them.

    Args:
        folder: Of the stores.
        limit: In bytes; None means no limit.
        whole: The folder whose size is limited; None is ``folder``.
    """

    def __init__(self, folder: Path, limit: int | None, whole: Path | None = None) -> None:
        self.folder = folder
        self.limit = limit
        self._whole = folder if whole is None else whole
        self._room = 0  # bytes that may be written here before the cache is looked at again

    def settle(self) -> None:
        """Enforces the limit, unless the cache was found to have room for what was written since."""
        self.wrote(0)

    def wrote(self, size: int, keep: Collection[Path] = ()) -> None:
        """Enforces the limit after ``size`` bytes were written, except on the shards in ``keep``.

        Looking at every file takes half a second per 20,000 of them, so it is done only where ``_WRITERS``
        processes that write as much as this one may have used the room that was last found.
        """
        self._room -= size
        if self.limit is not None and self._room <= 0:
            # In a folder that cannot be written, nothing is added and nothing can be removed.
            with locked(self.folder / "budget.lock", lambda error: None):
                self._room = (self.limit - self._enforce(self.limit, keep)) // _WRITERS

    def _enforce(self, limit: int, keep: Collection[Path]) -> int:
        """Removes least recently used shards until the rest fits; returns the bytes of the rest."""
        for leftover in self.folder.glob("*/.evicted-*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
        shards, total = self._found()
        for _, shard, size in sorted(shards):
            if total <= limit:
                break
            if shard not in keep:
                _remove(shard)
                total -= size
        return total

    def _found(self) -> tuple[list[tuple[float, Path, int]], int]:
        """When each shard was last used, the shard and its bytes; and the bytes of the whole cache."""
        shards, total = [], 0
        for place, folders, files in os.walk(self._whole):  # links are not followed
            folder = Path(place)
            # What has a dot before its name is being written or removed.
            folders[:] = [name for name in folders if not name.startswith(".")]
            try:
                size = sum((folder / name).lstat().st_size for name in files if not name.startswith("."))
                if folder.name.startswith("shard-"):
                    shards.append((folder.stat().st_mtime, folder, size))
            except OSError:  # another process has removed it
                continue
            total += size
        return shards, total


def _remove(shard: Path) -> None:
    """Renames a shard before it is deleted, so that no process reads a partial one."""
    gone = shard.with_name(f".evicted-{shard.name}-{os.getpid()}")
    try:
        shard.rename(gone)
    except OSError:  # it is gone, or cannot be removed
        return
    shutil.rmtree(gone, ignore_errors=True)
