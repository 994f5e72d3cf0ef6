"""A folder in which processes that make the same thing work at the same time; the last one removes it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

ATTEMPTS = 1000
"""How often a folder is made that others remove each time; then it is none, or its disk is odd."""


class SharedFolder:
    """A folder that stays for as long as this process is in it.

    The kernel drops the lock of a process that is killed. On a disk without locks the folder can be removed
    at any time, and is made again.

    Args:
        path: The folder; it is not made yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def enter(self) -> None:
        """Makes the folder if it is not there, and keeps other processes from removing it.

        Raises:
            OSError: It cannot be made.
        """
        for _ in range(ATTEMPTS):
            if self._is_held():
                return
            self.leave()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.path.mkdir()
            with suppress(FileNotFoundError):  # removed in between: the next one is ours
                self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
                with suppress(OSError):  # a disk without locks
                    fcntl.flock(self._handle, fcntl.LOCK_SH)
        if self._handle is None:
            raise FileNotFoundError(errno.ENOENT, "cannot be made a folder", str(self.path))

    def leave(self) -> None:
        """Lets other processes remove the folder."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_held(self) -> bool:
        return self._handle is not None and _is_at(self._handle, self.path)


def remove_unused(folder: Path) -> None:
    """Removes a folder with all that is in it, unless a process is in it: see ``SharedFolder``."""
    with suppress(OSError):  # gone, or not ours
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if _lock_alone(handle) and _is_at(handle, folder):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _lock_alone(handle: int) -> bool:
    """Locks a folder; False if a process is in it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a disk without locks
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the folder that was opened is the one at the path: it may have been removed and made anew."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
