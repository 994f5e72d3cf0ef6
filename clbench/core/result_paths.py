"""Where result files and records of searches are, and their text: plain, or compressed by xz."""

from __future__ import annotations

import lzma
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes of a result file, not compressed."""
_NAMES = "order*-seed*.json"
SEARCH = "search.json"
"""The record of a search, in the folder of the method that it is about."""


def result_paths(folder: Path, below: str = "**/") -> list[Path]:
    """The result files of a folder, compressed ones too, sorted.

    Args:
        folder: Where to look.
        below: The pattern of the folders in it; any depth by default.
    """
    return _plain_or_compressed(folder, f"{below}{_NAMES}")


def search_paths(folder: Path, below: str = "**/") -> list[Path]:
    """The records of searches, likewise."""
    return _plain_or_compressed(folder, f"{below}{SEARCH}")


def _plain_or_compressed(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for ending in ("", ".xz") for path in folder.glob(f"{pattern}{ending}"))


def compressed_path(path: Path) -> Path:
    """The place of a file once it is compressed: ``order0-seed0.json.xz``."""
    return path.with_name(f"{path.name}.xz")


def result_text(path: Path) -> str:
    """The text of one of them.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no file of text, or too large.
    """
    if path.exists() and not path.is_file():
        raise ValueError("not a file")
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
        try:
            content = file.read(LARGEST + 1)
        except (EOFError, lzma.LZMAError) as error:
            raise ValueError(f"not compressed by xz: {error}") from error
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    return content.decode("utf-8")
