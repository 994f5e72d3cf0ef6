"""Tables as CSV: every number as it was computed, and the result files behind each row."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from clbench.reporting.tables.cells import Column, Row, Table


def as_csv(tables: Sequence[Table]) -> str:
    """Tables below each other, a row per method: what is known of it, its numbers, its files.

    A column ``x`` of a table is ``x``, ``x_low``, ``x_high``, ``x_sd`` and ``x_n``, and where a method can be
    the best in it, ``x_mark`` (``best``, ``close`` or nothing) and ``x_p``. What is undefined, or not in a
    table, is empty.
    """
    rows = [dict(_values(row, table.columns)) for table in tables for row in table.rows]
    names = dict.fromkeys(name for row in rows for name in row if name != "files")
    lines = io.StringIO()
    writer = csv.DictWriter(lines, [*names, "files"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


def _values(row: Row, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    for name, text in row.facts:
        yield name, _text(text)
    for cell, column in zip(row.cells, columns, strict=True):
        yield column.name, _number(cell.value)
        yield f"{column.name}_low", _number(cell.low)
        yield f"{column.name}_high", _number(cell.high)
        yield f"{column.name}_sd", _number(cell.deviation)
        yield f"{column.name}_n", str(cell.n)
        if column.judged:
            yield f"{column.name}_mark", cell.mark
            yield f"{column.name}_p", _number(cell.p)
    yield "files", _text(";".join(row.files))


def _text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: ``'`` before it says so."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
