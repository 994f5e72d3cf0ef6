"""Builds the tables once per set of library versions, and keeps them in the cache folder."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clbench.core.errors import UserError
from clbench.core.io import cache_dir, write_text
from clbench.data.pydocs.documents import Document, collect
from clbench.data.pydocs.duplicates import Seen
from clbench.data.pydocs.libraries import ALL, versions
from clbench.data.pydocs.tables import LIBRARIES, Row, Tables, build

#: To be raised with every change that changes a text or a label: it is part of the cache's file name.
CORPUS_VERSION = 1
#: The least texts of each library of the table ``libraries``.
LEAST = {"train": 200, "test": 60}


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _encoded(tables: Tables) -> str:
    return json.dumps(tables, ensure_ascii=False, separators=(",", ":"))


def digest(tables: Tables) -> str:
    """A hash of all rows of all tables, in hexadecimal."""
    return _hash(_encoded(tables))


def cache_file() -> Path:
    """The file of the tables for the installed versions of the libraries.

    Raises:
        UserError: If a library is not installed.
    """
    key = _hash(json.dumps([CORPUS_VERSION, versions()]))
    return cache_dir() / "pydocs" / f"{key}.json"


def _read(path: Path) -> Tables | None:
    """The tables in ``path``, or None if it is not there or not as it was written."""
    try:
        head, body = path.read_text(encoding="utf-8").split("\n", 1)
    except (FileNotFoundError, UnicodeDecodeError, ValueError):
        return None
    if _hash(body) != head:
        return None
    tables: dict[str, dict[str, list[list[Any]]]] = json.loads(body)
    return {
        table: {split: [Row(*row) for row in rows] for split, rows in splits.items()}
        for table, splits in tables.items()
    }


def _check(tables: Tables) -> None:
    """Raises if a library has too few texts: an installation without sources, or a version far from ours."""
    for split, least in LEAST.items():
        for library in LIBRARIES:
            count = sum(row.label == library for row in tables["libraries"][split])
            if count < least:
                raise UserError(
                    f"library '{library}' has only {count} {split} texts of documentation, the pydocs corpus "
                    f"needs {least}; install the pinned version: make install"
                )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the cyclic collector: syntax trees hold no cycles, and visiting them takes long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def stored(*, progress: bool) -> Tables:
    """All tables, from the cache if it holds them, else built and cached.

    Args:
        progress: Whether to show a progress bar while building, if stderr is a terminal.

    Raises:
        UserError: If a library is not installed or has too little documentation.
    """
    path = cache_file()
    cached = _read(path)
    if cached is not None:
        return cached
    from tqdm import tqdm

    seen = Seen()
    documents: list[Document] = []
    # tqdm takes None for "no bar unless stderr is a terminal".
    for library in tqdm(
        ALL, desc="reading documentation", unit="library", disable=None if progress else True
    ):
        documents += collect(library, seen)
    built = build(documents)
    _check(built)
    body = _encoded(built)
    write_text(path, f"{_hash(body)}\n{body}")
    return built
