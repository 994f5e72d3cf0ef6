"""Tables as HTML: a fragment for a page, whose cells carry numbers to sort by and the files behind them."""

from __future__ import annotations

import math
from html import escape
from urllib.parse import quote

from clbench.reporting.formatting import plain
from clbench.reporting.tables.cells import Cell, Column, Document, Row, Table


def as_html(report: Document) -> str:
    """One ``section`` of class ``comparison`` for each table, and one that says how to read them.

    A cell has ``data-value``, ``data-low``, ``data-high`` and ``data-n`` where there are such numbers. The
    title of a row names the result files behind it; a cell made from fewer of them has a title of its own.
    The best of a column is ``strong``, what is not significantly worse is ``u``. Files are named from the
    folder of the report.
    """
    defined = "".join(
        f"<dt>{_text(each.heading)}</dt><dd>{_text(each.definition)}</dd>\n" for each in report.definitions
    )
    reading = (
        '<section class="reading">\n<h2>How to read the tables</h2>\n'
        f"<p>{_text(report.reading)}</p>\n<dl>\n{defined}</dl>\n<p>{_text(report.source)}</p>\n</section>\n"
    )
    return "".join([*map(_section, report.tables), reading])


def _text(text: str) -> str:
    return escape(plain(text))


def _section(full: Table) -> str:
    table = full.visible()
    headings = "".join(map(_heading, table.columns))
    rows = "".join(map(_row, table.rows))
    lines = "".join(f"<li>{_text(line)}</li>\n" for line in table.lines("Underlined"))
    return (
        f'<section class="comparison">\n<h2>{_text(table.title)}</h2>\n<p>{_text(table.caption)}</p>\n'
        f'<table>\n<thead>\n<tr><th scope="col">Method</th><th scope="col">{_text(table.counted)}</th>'
        f"{headings}</tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        + (f"<ul>\n{lines}</ul>\n" if lines else "")
        + "</section>\n"
    )


def _heading(column: Column) -> str:
    title = f' title="{_text(column.definition)}"' if column.definition else ""
    return f'<th scope="col" data-name="{_text(column.name)}"{title}>{_text(column.heading)}</th>'


def _row(row: Row) -> str:
    files = "".join(f'<li><a href="{quote(plain(each))}">{_text(each)}</a></li>' for each in row.files)
    runs = _text(row.runs)
    if files:
        runs = f"<details><summary>{runs}</summary><ul>{files}</ul></details>"
    cells = "".join(_cell(cell, row.files) for cell in row.cells)
    return (
        f'<tr class="{row.status}" data-method="{_text(dict(row.facts)["method"])}"{_sources(row.files)}>'
        f'<th scope="row">{_text(row.label)}</th>'
        f'<td data-value="{len(row.files)}">{runs}</td>{cells}</tr>\n'
    )


def _sources(files: tuple[str, ...]) -> str:
    return f' title="{_text("; ".join(files))}"' if files else ""


def _cell(cell: Cell, of_row: tuple[str, ...]) -> str:
    numbers = {"value": cell.value, "low": cell.low, "high": cell.high}
    data = "".join(f' data-{key}="{value!r}"' for key, value in numbers.items() if not math.isnan(value))
    if cell.n:
        data += f' data-n="{cell.n}"'
    title = "" if cell.files == of_row else _sources(cell.files)
    tag = {"best": "strong", "close": "u", "": ""}[cell.mark]
    text = f"<{tag}>{_text(cell.text)}</{tag}>" if tag else _text(cell.text)
    return f"<td{data}{title}>{text}</td>"
