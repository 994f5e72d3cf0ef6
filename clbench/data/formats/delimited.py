"""CSV, TSV and the files of GLUE."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError
from clbench.data.formats.content import read_lines, read_text
from clbench.data.formats.rows import Raw, refuse_twice

GLUE_HEADERS = (
    ("sentence1", "sentence2", "label"),  # RTE, WNLI
    ("sentence1", "sentence2", "gold_label"),  # MNLI
    ("question1", "question2", "is_duplicate"),  # QQP
    ("question", "sentence", "label"),  # QNLI
    ("#1 String", "#2 String", "Quality"),  # MRPC
    ("sentence", None, "label"),  # SST-2
)
"""The columns of text, second text and label in the tasks of GLUE."""
COLA = ("source", "label", "mark", "text")
"""The columns of CoLA, which has no header."""

Records = Iterable[tuple[int, list[str]]]


def read_csv(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """The columns ``wanted`` of a CSV file; cells in quotes can have separators and line ends."""
    return _table(path, _csv_records(path, source), source.columns, wanted)


def read_tsv(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """The columns ``wanted`` of a file with tabs between cells; quotes have no meaning in it."""
    return _table(path, _tab_records(path, source), source.columns, wanted)


def read_glue(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """``text``, ``text_pair`` and ``label`` of a file of GLUE, whose header tells the task."""
    records = list(_tab_records(path, source))
    header = glue_columns(records[0][1]) if records else None
    if header is None:
        known = "; ".join(", ".join(filter(None, each)) for each in GLUE_HEADERS)
        raise UserError(f"{path}: not the header of a task of GLUE, which are: {known}")
    names = dict(zip(header, ("text", "text_pair", "label"), strict=True))
    if header == COLA[:3]:
        return _table(path, records, COLA, wanted)
    renamed = [names.get(cell, "") or f"({cell})" for cell in records[0][1]]
    return _table(path, [(records[0][0], renamed), *records[1:]], (), wanted)


def glue_columns(cells: Sequence[str]) -> tuple[str | None, ...] | None:
    """The columns of text, second text and label by the first line of a file; None if it is not of GLUE."""
    if len(cells) == len(COLA) and cells[1] in ("0", "1") and cells[2] in ("", "*"):
        return COLA[:3]
    return next((each for each in GLUE_HEADERS if set(filter(None, each)) <= set(cells)), None)


def _csv_records(path: Path, source: DataSource) -> Records:
    csv.field_size_limit(1 << 30)  # the default refuses texts of 131,072 characters
    text = read_text(path, source.encoding)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=source.separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, [cell.replace("\r\n", "\n") for cell in cells]
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: not CSV: {error}") from error


def _tab_records(path: Path, source: DataSource) -> Records:
    for number, line in read_lines(path, source.encoding):
        yield number, line.split("\t")


def _table(path: Path, records: Records, header: Sequence[str], wanted: Sequence[str]) -> Raw:
    """Columns by the names in ``header``, or in the first record."""
    rows, numbers = [], []
    for number, cells in records:
        if not header:
            header = [cell.strip() for cell in cells]
            refuse_twice(header, wanted, f"{path}, line {number}")
            continue
        if len(cells) != len(header):
            raise UserError(
                f"{path}, line {number}: expected {len(header)} cells ({', '.join(header)[:80]}), found "
                f"{len(cells)}; 'columns', 'separator' or quotes around a text may be what is missing"
            )
        rows.append(cells)
        numbers.append(number)
    places = {name: at for at, name in enumerate(header) if name in wanted}
    columns = {name: [cells[at] for cells in rows] for name, at in places.items()}
    return Raw(columns or {"": [None] * len(rows)}, header, lambda at: f"{path}, line {numbers[at]}")
