"""Tables as CSV: every number as it was computed, and the result files behind each row."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence

from clbench.reporting.tables.cells import Column, Row, Table

_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


def as_csv(tables: Sequence[Table]) -> str:
    """Tables below each other, a row per method: what is known of it, its numbers, its files.

    A column ``x`` of a table is ``x``, ``x_low``, ``x_high``, ``x_sd`` and ``x_n``, and where a method can be
    the best in it, ``x_mark`` (``best``, ``close`` or nothing) and ``x_p``. What is undefined, or not in a
    table, is empty.
    """
    rows = [dict(_values(row, table.columns)) for table in tables for row in table.rows]
    names = dict.fromkeys(name for row in rows for name in row if name != "files")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for row in (dict(zip(head := [*names, "files"], head, strict=True)), *rows):
        writer.writerow([_text(row.get(name, "")) for name in head])
    return lines.getvalue()


def _values(row: Row, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    yield from row.facts
    for cell, column in zip(row.cells, columns, strict=True):
        yield column.name, _number(cell.value)
        yield f"{column.name}_low", _number(cell.low)
        yield f"{column.name}_high", _number(cell.high)
        yield f"{column.name}_sd", _number(cell.deviation)
        yield f"{column.name}_n", str(cell.n)
        if column.judged:
            yield f"{column.name}_mark", cell.mark
            yield f"{column.name}_p", _number(cell.p)
    yield "files", ";".join(row.files)


def _text(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: ``'`` says so, before what is no plain number.

    Example:
        >>> _text("=1+1"), _text("-0.5"), _text("-1e-05"), _text("-1+2")
        ("'=1+1", '-0.5', '-1e-05', "'-1+2")
    """
    formula = text.lstrip().startswith(("=", "+", "-", "@")) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if formula and not _PLAIN.fullmatch(text) else text


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
