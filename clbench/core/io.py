"""The cache folder, and files that are written atomically."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from clbench.core.errors import UserError, shown
from clbench.core.ranges import Weight, reader
from clbench.core.strict_yaml import parse_yaml

_NAME = 200
"""Bytes of the name of a folder; file systems take 255."""
_PROBE = 4096
"""Bytes that a folder must take to be writable: on a full disk, an empty file can still be made."""
_TEMPORARY = ".being-written"
"""The end of the names of temporary files and folders."""


def cache_dir() -> Path:
    """The folder of everything that can be recomputed: ``CLBENCH_CACHE``, or ``~/.cache/clbench``."""
    return Path(os.environ.get("CLBENCH_CACHE") or Path.home() / ".cache" / "clbench")


def cache_budget() -> int:
    """The limit of the cache on disk in bytes: ``CLBENCH_CACHE_GB`` times 10^9; 20 GB by default.

    Raises:
        UserError: It is not a number.
    """
    text = os.environ.get("CLBENCH_CACHE_GB") or "20"
    try:
        return int(1e9 * reader(Weight)(text))
    except ValueError as error:
        raise UserError(f"environment variable CLBENCH_CACHE_GB is {shown(text)}: it {error}") from None


def check_folder(folder: Path, what: str) -> None:
    """Refuses a folder in which nothing can be written, or no more; nothing is left behind.

    Args:
        folder: There already, or to be made.
        what: The option that names it, for the message.

    Raises:
        UserError: A file is in its place, or it cannot be written.
    """
    there = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), Path())
    try:
        with tempfile.TemporaryFile(dir=there) as file:  # the user's rights alone do not say it: /proc
            file.write(bytes(_PROBE))
    except OSError as error:
        raise UserError(f"{what} is {shown(str(folder))}: {there}: {error.strerror}") from error


def check_file(path: Path, what: str) -> None:
    """Refuses a path at which no file can be written: see ``check_folder``."""
    if path.is_dir():
        raise UserError(f"{what} is {shown(str(path))}: a folder is there; a file is expected")
    check_folder(path.parent, what)


def folder_name(text: str) -> str:
    """``text`` as the name of one folder; what it lost, or its end if it is too long, shows in a hash.

    Example:
        >>> folder_name("ewc-frozen-strength=10.0"), folder_name("mine-file=../../x")
        ('ewc-frozen-strength=10.0', 'mine-file=.._.._x-7c6f4464')
    """
    name = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in text)
    name = _cut(name.lstrip("."))
    return (
        name
        if name and name == text
        else f"{name or '_'}-{hashlib.sha256(repr(text).encode()).hexdigest()[:8]}"
    )


def _cut(name: str) -> str:
    return name.encode("utf-8", "replace")[:_NAME].decode("utf-8", "ignore")


@contextmanager
def replacing(path: Path, *, within: Path | None = None) -> Iterator[Path]:
    """Yields a temporary path that replaces ``path`` if the block ends without an error.

    Readers never see a partial file.

    Args:
        path: The file.
        within: The folder of the temporary file, on the same disk; None is that of ``path``. A process that
            is killed leaves the temporary file there.
    """
    folder = path.parent if within is None else within
    for each in (path.parent, folder):
        each.mkdir(parents=True, exist_ok=True)
    with _temporary(folder, _cut(path.name), _made_file) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """Yields an empty folder in the folder ``beside``, on the same disk, and removes it afterwards."""
    with _temporary(beside, "", _made_folder) as temporary:
        yield temporary


def remove_leftovers(folder: Path) -> None:
    """Removes what dead processes left in ``folder``: temporary files and folders of this module.

    Those of living processes are locked, and stay. Links are not followed.
    """
    # Folders may vanish while they are searched, which ``Path.rglob`` takes for an error.
    found = [Path(at, name) for at, folders, files in os.walk(folder) for name in (*folders, *files)]
    for path in sorted(found):
        if not (path.name.startswith(".") and path.name.endswith(_TEMPORARY)):
            continue
        with suppress(OSError):  # gone, or not ours
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(handle)


@contextmanager
def _temporary(folder: Path, name: str, make: Callable[[Path], int]) -> Iterator[Path]:
    """A new path in ``folder`` that is locked as long as it is used, by its ending known as temporary."""
    while True:
        path = folder / f".{name}.{secrets.token_hex(4)}{_TEMPORARY}"
        try:
            handle = make(path)
        except FileNotFoundError:
            if folder.is_dir():
                continue  # taken for a leftover before it was opened
            raise
        with suppress(OSError):  # a disk without locks: then nobody else takes it for a leftover either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():  # not taken for a leftover before it was locked
            break
        os.close(handle)
    try:
        yield path
    finally:
        _remove(path)
        os.close(handle)


def _made_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)  # by the umask


def _made_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, within: Path | None = None) -> None:
    """Writes ``text`` to ``path`` atomically, in UTF-8: see ``replacing``."""
    with replacing(path, within=within) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file.

    Args:
        path: The file.
        what: What the file is, for error messages.

    Raises:
        UserError: It cannot be read, or is not YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {path}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{what} {path}: not YAML: {_one_line(error)}") from error


def _one_line(error: yaml.YAMLError) -> str:
    """What is wrong, and in which line, without the excerpt that PyYAML adds."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return problem if mark is None else f"line {mark.line + 1}: {problem}"


def write_json(path: Path, value: Any, *, within: Path | None = None) -> None:
    """Writes ``value`` to ``path`` atomically (``replacing``), as indented JSON; not NaN and infinity.

    Rows of matrices are written on one line each, and so are the matrices of a list of matrices.
    """
    write_text(path, _indented(value, "\n") + "\n", within=within)


def _indented(value: Any, margin: str) -> str:
    """``value`` as JSON; ``margin`` is a line break and the indentation of what follows it.

    Whatever is on one line is encoded in one call: the module's own indentation is twenty times slower.
    """
    inner = f"{margin} "
    if isinstance(value, Mapping) and value:
        entries = (f"{json.dumps(str(key))}: {_indented(each, inner)}" for key, each in value.items())
        return f"{{{inner}{f',{inner}'.join(entries)}{margin}}}"
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping | list | tuple) for each in value):
        flat = _depth(value) > 2
        entries = (_line(each) if flat and _depth(each) <= 2 else _indented(each, inner) for each in value)
        return f"[{inner}{f',{inner}'.join(entries)}{margin}]"
    return _line(value)


def _line(value: Any) -> str:
    """``value`` as JSON on one line without spaces, which are a fifth of a file of matrices."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _depth(value: Any) -> float:
    """How deeply lists are nested in ``value``, looking at the first entry; infinite with a mapping in it."""
    if isinstance(value, Mapping):
        return math.inf
    if not isinstance(value, list | tuple):
        return 0
    return 1 + max(map(_depth, value[:1]), default=0)
