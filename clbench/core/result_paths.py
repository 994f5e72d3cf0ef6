"""Where result files are, and their text: plain, or compressed by xz beside its name."""

from __future__ import annotations

import lzma
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes of a result file, not compressed."""
_NAMES = "order*-seed*.json"


def result_paths(folder: Path, below: str = "**/") -> list[Path]:
    """The result files of a folder, compressed ones too, sorted.

    Args:
        folder: Where to look.
        below: The pattern of the folders in it; any depth by default.
    """
    return sorted(path for ending in ("", ".xz") for path in folder.glob(f"{below}{_NAMES}{ending}"))


def compressed_path(path: Path) -> Path:
    """The place of a result file once it is compressed: ``order0-seed0.json.xz``."""
    return path.with_name(f"{path.name}.xz")


def result_text(path: Path) -> str:
    """The text of a result file.

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
