"""JSON lines, and JSON files that are one array of objects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError
from clbench.core.io import replacing
from clbench.data.formats.content import read_bytes, read_text
from clbench.data.formats.rows import Raw, refuse_twice, shown

_BLOCK = 1 << 20  # bytes that the JSON reader parses at a time; a line must fit in
_BRACKETS = (
    200  # in a line with more, values may be nested so deeply that the fast parser overflows its stack
)


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


def read_json_lines(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """The columns ``wanted`` of a file with one object per line."""
    lines = read_bytes(path, source.encoding).split(b"\n")
    columns = _parsed_at_once(lines, wanted)
    if columns is not None:
        numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
        return Raw(columns, wanted, lambda at: f"{path}, line {numbers[at]}")
    rows, numbers = [], []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append(_object(line, f"{path}, line {number}", wanted))
            numbers.append(number)
    return _raw(rows, wanted, lambda at: f"{path}, line {numbers[at]}")


def read_json_array(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """The columns ``wanted`` of a file that is one array of objects."""
    rows = _value(read_text(path, source.encoding), str(path))
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected an array of objects; one object per line is a file '*.jsonl'")
    for at, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(f"{path}, record {at + 1}: expected an object with 'text', found {shown(row)}")
        if isinstance(row, _Doubled):
            refuse_twice(row.keys_read, wanted, f"{path}, record {at + 1}")
    return _raw(rows, wanted, lambda at: f"{path}, record {at + 1}")


def _raw(rows: list[dict[str, Any]], wanted: Sequence[str], place: Any) -> Raw:
    # A key that only some rows have is a column: the check of required columns then names the row.
    there = [key for key in wanted if any(key in row for row in rows)]
    columns = {key: [row.get(key) for row in rows] for key in there}
    return Raw(columns or {"": [None] * len(rows)}, list(rows[0]) if rows else [], place)


def _parsed_at_once(lines: list[bytes], wanted: Sequence[str]) -> dict[str, list[str | None]] | None:
    """The columns of valid lines of texts; None where reading line by line may find something else."""
    import pyarrow as pa
    from pyarrow import json as arrow

    lines = [line.strip() for line in lines if line.strip()]
    if not lines or not all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        return None
    if any(line.count(b"[") + line.count(b"{") > _BRACKETS for line in lines):
        return None
    schema = pa.schema([(key, pa.string()) for key in wanted])  # strings like dates stay strings
    content = b"\n".join(lines)
    try:
        table = arrow.read_json(
            pa.BufferReader(content),
            arrow.ReadOptions(block_size=max(_BLOCK, 2 * max(map(len, lines)))),
            arrow.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        table.validate(full=True)  # the parser lets bytes through that are not UTF-8
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    if len(table) != len(lines) or any(table.column(key).null_count == len(lines) for key in wanted[:1]):
        return None
    return {key: table.column(key).to_pylist() for key in wanted}


class _Doubled(dict[str, Any]):
    """An object with a key that is there twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.keys_read = [key for key, _ in pairs]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(pairs)


def _object(line: bytes, where: str, wanted: Sequence[str]) -> dict[str, Any]:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not UTF-8: {error.reason} at byte {error.start + 1}") from error
    row = _value(text, where)
    if not isinstance(row, dict):
        hint = "; an array of objects is a file '*.json'" if isinstance(row, list) else ""
        raise UserError(f"{where}: expected an object with 'text', found {shown(row)}{hint}")
    if isinstance(row, _Doubled):
        refuse_twice(row.keys_read, wanted, where)
    return row


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise UserError(f"{where}: not JSON: {error.msg} at {line}column {error.colno}") from error
    except RecursionError:
        raise UserError(f"{where}: not read: values are nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise UserError(f"{where}: not read: {str(error).partition(';')[0]}") from error
