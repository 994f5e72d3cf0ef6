"""The cache folder, and files that are written atomically."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from clbench.core.errors import UserError


def cache_dir() -> Path:
    """The folder of everything that can be recomputed: ``CLBENCH_CACHE``, or ``~/.cache/clbench``."""
    return Path(os.environ.get("CLBENCH_CACHE") or Path.home() / ".cache" / "clbench")


def cache_budget() -> int:
    """The limit of cached features on disk in bytes: ``CLBENCH_CACHE_GB`` times 10^9; 20 GB by default.

    Raises:
        UserError: It is not a number.
    """
    text = os.environ.get("CLBENCH_CACHE_GB") or "20"
    try:
        return int(float(text) * 1e9)
    except (ValueError, OverflowError):
        raise UserError(f"CLBENCH_CACHE_GB is '{text}'; a number of gigabytes is wanted") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path that replaces ``path`` if the block ends without an error.

    Readers never see a partial file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files that nobody else can read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` to ``path`` atomically, in UTF-8."""
    with replacing(path) as temporary:
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
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {path}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{what} {path}: not YAML: {' '.join(str(error).split())}") from error


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` to ``path`` atomically, as indented JSON; NaN and infinity are refused.

    Innermost lists are written on one line: matrices stay readable, and files are half as large.
    """
    text = json.dumps(value, indent=1, allow_nan=False)
    # Within a text of JSON a line break is escaped, so none of these is inside a string.
    text = re.sub(r"\[\n\s*([^\[\]{}]*?)\n\s*\]", lambda found: f"[{_joined(found[1])}]", text)
    write_text(path, text + "\n")


def _joined(lines: str) -> str:
    return re.sub(r",\n\s*", ", ", lines)
