"""Reads and writes datasets as JSON lines, one file per split.

The files are ``<data_dir>/<dataset>/train.jsonl.gz``, ``test.jsonl.gz`` and optionally
``validation.jsonl.gz`` (or the same without ``.gz``). Each line is an object with ``text`` and ``label``, and
optionally ``text_pair`` and ``domain``. An unlabeled corpus has only ``text``, and only the split ``train``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.errors import UserError, unknown
from clbench.core.io import replacing
from clbench.core.scenario import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

_SUFFIXES = (".jsonl.gz", ".jsonl")
_COLUMNS = ("text", "text_pair", "label", "domain")
_REQUIRED = ("text", "label")  # the other columns may be absent or null
_BLOCK = 1 << 20  # bytes that the JSON reader parses at a time; a line must fit in


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
    from datasets import Dataset, DatasetInfo, Features, Value

    columns = _COLUMNS if labeled else ("text",)
    features = Features(dict.fromkeys(columns, Value("string")))
    # With renamed keys, lines are read one by one: a key may have the name of another column.
    table = None if keys else _read_table(path, columns)
    if table is not None:
        return Dataset(table, DatasetInfo(features=features))
    return Dataset.from_list(_read_rows(path, columns, keys), features=features)


def _read_table(path: Path, columns: Sequence[str]) -> pa.Table | None:
    """The columns of a file of valid lines, read at once; None where reading line by line finds an error."""
    import pyarrow as pa
    from pyarrow import json as arrow

    schema = pa.schema([(column, pa.string()) for column in columns])  # strings like dates stay strings
    content = _content(path)
    try:
        table = arrow.read_json(
            pa.BufferReader(content),
            arrow.ReadOptions(block_size=max(_BLOCK, 2 * max(map(len, content.split(b"\n"))))),
            arrow.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        table.validate(full=True)  # the parser lets bytes through that are not UTF-8
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    required = [column for column in columns if column in _REQUIRED]
    if not len(table) or any(table.column(column).null_count for column in required):
        return None
    return table.select(columns)


def _content(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


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
    for number, line in enumerate(_content(path).split(b"\n"), start=1):
        if line.strip():
            yield number, line.rstrip(b"\r")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
