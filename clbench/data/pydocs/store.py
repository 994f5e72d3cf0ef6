"""Builds the tables once per set of library versions and keeps them as JSON lines in the cache folder."""

from __future__ import annotations

import gc
import gzip
import hashlib
import shutil
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.core.errors import UserError, unknown
from clbench.core.io import cache_dir, remove_leftovers
from clbench.data import formats
from clbench.data.pydocs.libraries import ALL, LABELS, versions
from clbench.data.pydocs.prose import NearDuplicates
from clbench.data.pydocs.tables import Splits, build, collect

if TYPE_CHECKING:
    from datasets import DatasetDict

#: Part of the name of the cache folder: raise it with every change that changes a text or a label.
CORPUS_VERSION = 2
#: The minimum number of texts of each label of the table ``libraries``.
LEAST = {"train": 200, "test": 60}


def load(table: str, *, progress: bool = True) -> DatasetDict:
    """One table of the corpus. The first call on a machine builds all of them, in about 15 seconds.

    Args:
        table: One of ``LABELS``.
        progress: Whether to show a progress bar while building, if stderr is a terminal.

    Returns:
        The splits ``train`` and ``test`` with the columns ``text`` (str), ``text_pair`` (str or None),
        ``label`` (str) and ``domain`` (str or None); ``general`` has only ``train`` and ``text``.

    Raises:
        UserError: There is no such table, or a library that the corpus needs is not installed or has
            too little documentation.
    """
    if table not in LABELS:
        raise unknown("pydocs table", table, LABELS)
    labeled = bool(LABELS[table])
    path = folder(progress=progress)
    try:
        return formats.load(path, table, labeled=labeled)
    except UserError:  # a damaged or missing file
        shutil.rmtree(path)
        return formats.load(folder(progress=progress), table, labeled=labeled)


def folder(*, progress: bool) -> Path:
    """The data folder of the tables for the installed versions, built if it is not there."""
    key = repr((CORPUS_VERSION, versions()))
    path = cache_dir() / "pydocs" / hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    last = path / list(LABELS)[-1] / "train.jsonl.gz"
    if not last.exists():
        from filelock import FileLock  # here, because reports are made without it

        with FileLock(f"{path}.lock"):  # other processes wait for the one that builds
            if not last.exists():
                remove_leftovers(path)
                for table, splits in _build(progress).items():
                    for split, rows in splits.items():
                        lines = (row._asdict() for row in rows)
                        formats.write_lines(path / table / f"{split}.jsonl.gz", lines)
    return path


def check_tables() -> tuple[int, list[str]]:
    """Reads every kept table, whose bytes gzip's checksum covers.

    Returns:
        How many files there are, and what is wrong with those that are damaged. Their folders are removed:
        the next run that needs them builds the tables again.
    """
    files = sorted((cache_dir() / "pydocs").glob("*/*/*.jsonl.gz"))
    damaged = {}
    for file in files:
        try:
            gzip.decompress(file.read_bytes())
        except (OSError, EOFError, zlib.error):
            damaged[file] = f"{file} is damaged"
    for file in damaged:
        shutil.rmtree(file.parents[1], ignore_errors=True)
    return len(files), list(damaged.values())


def _build(progress: bool) -> dict[str, Splits]:
    from tqdm import tqdm

    # tqdm takes None for "no bar unless stderr is a terminal".
    bar = tqdm(ALL, desc="reading documentation", unit="library", disable=None if progress else True)
    seen = NearDuplicates()
    enabled = gc.isenabled()
    gc.disable()  # searching syntax trees for cycles, which they do not have, takes a quarter of the time
    try:
        tables = build(example for library in bar for example in collect(library, seen))
    finally:
        if enabled:
            gc.enable()
    check(tables["libraries"])
    return tables


def check(splits: Splits) -> None:
    """Raises a UserError if a library has too few texts, such as an installation without source files."""
    for split, least in LEAST.items():
        counts = Counter(row.label for row in splits[split])
        for library in LABELS["libraries"]:
            if counts[library] < least:
                raise UserError(
                    f"the pydocs corpus needs {least} {split} texts from '{library}' and finds "
                    f"{counts[library]}; install the pinned version: make install"
                )
