"""Files of a cache: their checksums, their locks, and a folder that cannot be written."""

from __future__ import annotations

import json
import mmap
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import xxhash
from filelock import FileLock

CHECKSUMS = "checksums.json"


class DamagedError(Exception):
    """A file of a cache is not what was written."""


class Warned:
    """Says once that a cache folder cannot be written.

    Args:
        folder: Of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = False

    def __call__(self, error: OSError) -> None:
        """Warns at the first call and is silent at all others."""
        if not self._told:
            reason = error.strerror or type(error).__name__
            text = f"the cache {self._folder} cannot be written ({reason}); going on without it"
            warnings.warn(text, stacklevel=2)
        self._told = True


def checksum(path: Path) -> str:
    """The XXH3 checksum of a file: at the speed of memory, against accidents and not against forgery."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return xxhash.xxh3_128_hexdigest(b"")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return xxhash.xxh3_128_hexdigest(content)


def write_shard(
    shard: Path, prefix: str, write: Callable[[Path], None], opened: Callable[[Path], None]
) -> None:
    """Writes a folder of files with their checksums, so that readers see all of it or nothing.

    Args:
        shard: The folder. What is there already is replaced.
        prefix: Of the name of the temporary folder beside it.
        write: Writes the files into a folder.
        opened: Is called with the complete folder before another process can see it, and remove it.

    Raises:
        OSError: It cannot be written; nothing is left.
    """
    shard.parent.mkdir(parents=True, exist_ok=True)
    temporary = shard.parent / f"{prefix}{secrets.token_hex(6)}"
    temporary.mkdir()  # by the umask: others may read the cache
    try:
        write(temporary)
        sums = {file.name: checksum(file) for file in sorted(temporary.iterdir())}
        (temporary / CHECKSUMS).write_text(json.dumps(sums), encoding="utf-8")
        opened(temporary)
        shutil.rmtree(shard, ignore_errors=True)
        os.rename(temporary, shard)  # noqa: PTH104 - a folder onto a free name
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def verify(shard: Path, *names: str) -> None:
    """Compares files of a shard with their checksums; without names, all of them. Links are not followed.

    Raises:
        DamagedError: A file has another content, is a link, or is missing.
        FileNotFoundError: The whole shard is gone: another process removed it.
        OSError: A file cannot be read now, which says nothing about its content.
    """
    try:
        for each in (shard, shard / CHECKSUMS):
            _refuse_link(each)
        sums = json.loads((shard / CHECKSUMS).read_bytes())
        for name in names or sorted(sums):
            _refuse_link(shard / name)
            if checksum(shard / name) != sums[name]:
                raise DamagedError(f"{shard / name} is damaged")
    except FileNotFoundError as error:
        if not shard.exists():
            raise
        raise DamagedError(f"{error.filename} is missing") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{shard / CHECKSUMS} is damaged") from error


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise DamagedError(f"{path} is a link")


def drop(shard: Path, error: DamagedError) -> None:
    """Removes a damaged shard with a warning; of a link, the link alone."""
    warnings.warn(f"{error}; what it held is computed again", stacklevel=2)
    with suppress(OSError):
        shard.unlink() if shard.is_symlink() else shutil.rmtree(shard, ignore_errors=True)


def used(shard: Path) -> None:
    """Marks a shard as recently used, as far as the folder can be written."""
    with suppress(OSError):
        os.utime(shard)


@contextmanager
def locked(path: Path, warned: Callable[[OSError], None], *, wait: bool = True) -> Iterator[None]:
    """Holds a lock; without one where the folder cannot be written.

    Raises:
        filelock.Timeout: Another process holds it, and ``wait`` is false.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=wait)
    except TimeoutError:
        raise
    except (OSError, NotImplementedError) as error:
        warned(error if isinstance(error, OSError) else OSError(str(error)))
        yield
        return
    try:
        yield
    finally:
        lock.release()
