"""Reads and writes datasets as JSON lines, one file per split.

The files are ``<data_dir>/<dataset>/train.jsonl.gz``, ``test.jsonl.gz`` and optionally
``validation.jsonl.gz`` (or the same without ``.gz``). Each line is an object with ``text`` and ``label``, and
optionally ``text_pair`` and ``domain``. An unlabeled corpus has only ``text``, and only the split ``train``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.errors import UserError, unknown
from clbench.core.io import cache_dir, replacing
from clbench.core.scenario import SPLITS

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_SUFFIXES = (".jsonl.gz", ".jsonl")
_COLUMNS = ("text", "text_pair", "label", "domain")
_REQUIRED = ("text", "label")  # the other columns may be absent or null


def files(data_dir: Path, dataset: str, *, labeled: bool = True) -> dict[str, Path]:
    """The files of ``dataset`` by split: ``train``, ``validation`` if there is one, and ``test``.

    Args:
        data_dir: The folder of all datasets.
        dataset: The name of one.
        labeled: Whether texts have labels; an unlabeled corpus has only the split ``train``.

    Raises:
        UserError: The folder, the dataset or a split is missing.
    """
    if not data_dir.is_dir():
        raise UserError(
            f"data folder {data_dir} does not exist; "
            "--data-dir or CLBENCH_DATA must name the folder that holds the datasets"
        )
    folder = data_dir / dataset
    if not folder.is_dir():
        known = [path.name for path in data_dir.iterdir() if _split_file(path, "train")]
        raise UserError(f"{unknown('dataset', dataset, known)} (in {data_dir})")
    found = {}
    for split in SPLITS if labeled else ("train",):
        path = _split_file(folder, split)
        if path is not None:
            found[split] = path
        elif split != "validation":
            raise UserError(f"{folder} lacks {split}.jsonl.gz (or {split}.jsonl)")
    return found


def load(
    data_dir: Path, dataset: str, *, labeled: bool = True, keys: Mapping[str, str] | None = None
) -> DatasetDict:
    """The splits of ``dataset``; nothing is written into ``data_dir``.

    Args:
        data_dir: The folder of all datasets.
        dataset: The name of one.
        labeled: Whether texts have labels; an unlabeled corpus has only the split ``train``.
        keys: The keys of the lines that differ from the names of the columns, such as ``{"text": "body"}``.

    Returns:
        Splits with the columns ``text`` (str), ``text_pair`` (str or None), ``label`` (str) and ``domain``
        (str or None), in the order of the files. An unlabeled corpus has only the column ``text``.

    Raises:
        UserError: A file is missing, unreadable or empty, or a line is invalid; the message names it.
    """
    from datasets import DatasetDict

    found = files(data_dir, dataset, labeled=labeled)
    return DatasetDict({split: _load_split(path, labeled, keys or {}) for split, path in found.items()})


def write_lines(path: Path, rows: Iterable[Mapping[str, str | None]]) -> Path:
    """Writes rows as compressed JSON lines; equal rows give equal bytes."""
    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file,  # neither name nor time in the header
    ):
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return path


def _split_file(folder: Path, split: str) -> Path | None:
    candidates = (folder / f"{split}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _load_split(path: Path, labeled: bool, keys: Mapping[str, str]) -> Dataset:
    from datasets import Dataset, Features, Value

    columns = _COLUMNS if labeled else ("text",)
    # With renamed keys, lines are read one by one: a key may have the name of another column.
    loaded = None if keys else _load_json(path)
    if loaded is not None and _is_as_declared(loaded, columns):
        for column in columns:
            if loaded.features.get(column) != Value("string"):  # absent, or null in every line
                loaded = loaded.remove_columns([column] if column in loaded.features else [])
                loaded = loaded.add_column(column, [None] * len(loaded), feature=Value("string"))
        return loaded.select_columns(list(columns))
    # The library reports no line numbers, and turns strings that look like dates into dates.
    # Reading line by line finds the invalid line, or keeps the strings.
    features = Features(dict.fromkeys(columns, Value("string")))
    return Dataset.from_list(_read_rows(path, columns, keys), features=features)


def _load_json(path: Path) -> Dataset | None:
    from datasets import Dataset

    with _silence():
        try:
            # Does what load_dataset("json") does, without sending a request to a download counter.
            loaded = Dataset.from_json(str(path.absolute()), cache_dir=str(cache_dir() / "datasets"))
            loaded.data.validate(full=True)  # the parser lets bytes through that are not UTF-8
        except Exception:  # of many classes; reading line by line finds the error
            return None
    return loaded


def _is_as_declared(loaded: Dataset, columns: tuple[str, ...]) -> bool:
    from datasets import Value

    for column in columns:
        feature = loaded.features.get(column)
        if column not in _REQUIRED:
            if feature not in (Value("string"), Value("null"), None):
                return False
        elif feature != Value("string") or loaded.data.column(column).null_count:
            return False
    return True


def _read_rows(path: Path, columns: tuple[str, ...], keys: Mapping[str, str]) -> list[dict[str, str | None]]:
    """The rows of ``path``, each checked."""
    rows = []
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(f"{where}: not UTF-8: {error.reason} at byte {error.start + 1}") from error
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: not JSON: {error.msg} at column {error.colno}") from error
        if not isinstance(row, dict):
            raise UserError(f"{where}: expected an object with 'text', found {_shown(row)}")
        values = {}
        for column in columns:
            key = keys.get(column, column)
            values[column] = value = row.get(key)
            if column in _REQUIRED and value is None:
                raise UserError(f"{where}: '{key}' is missing")
            if not isinstance(value, str | None):
                raise UserError(f"{where}: '{key}' must be a string, not {_shown(value)}")
        rows.append(values)
    if not rows:
        raise UserError(f"{path} has no examples")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


@contextmanager
def _silence() -> Iterator[None]:
    """Disables the progress bars and the log of ``datasets``."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from datasets.utils import logging

    verbosity, disabled = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not disabled:
            enable_progress_bars()
