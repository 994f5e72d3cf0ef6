"""Tables as Markdown: one section each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from tabulate import tabulate

from clbench.reporting.formatting import plain
from clbench.reporting.tables.cells import Cell, Document, Row, Table

CLOSE = "≈"


def as_markdown(report: Document) -> str:
    """The whole report; each section has a heading of level two and stands for itself."""
    parts = ["# Comparison\n", *map(_section, report.tables), "## How to read the tables\n"]
    parts.append(f"{report.reading}\n")
    parts.append("".join(f"- {each.heading}: {each.definition}\n" for each in report.definitions))
    return "\n".join([*parts, f"{escaped(report.source)}\n"])


def escaped(text: str) -> str:
    r"""``text`` from outside as Markdown that shows it and does nothing else, in a table cell too.

    Example:
        >>> escaped("<b>`x`|y_z")
        '&lt;b&gt;\\`x\\`\\|y\\_z'
    """
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", text)


def aligned(body: list[list[str]], headers: list[str], style: str) -> str:
    """A table whose first column is text and whose others are numbers, in a format of tabulate."""
    alignment = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(body, headers, tablefmt=style, colalign=alignment, disable_numparse=True)


def _section(full: Table) -> str:
    table = full.visible()
    headers = ["Method", table.counted, *(column.heading for column in table.columns)]
    body = [[escaped(row.label), row.runs, *map(_cell, row.cells)] for row in table.rows]
    parts = [f"## {escaped(table.title)}\n", f"{escaped(table.caption)}\n"]
    parts.append(aligned(body, [escaped(each) for each in headers], "pipe") + "\n")
    lines = table.lines(CLOSE)
    if lines:
        parts.append("".join(f"- {escaped(line)}\n" for line in lines))
    return "\n".join([*parts, _files(table.rows)])


def _cell(cell: Cell) -> str:
    text = cell.text
    return {"best": f"**{text}**", "close": f"{text} {CLOSE}", "": text}[cell.mark]


def _files(rows: Sequence[Row]) -> str:
    """The result files behind each row, folded away: by folder, as their names are alike."""
    lines = []
    for row in rows:
        folders: dict[str, list[str]] = {}
        for file in row.files:
            path = PurePosixPath(file)
            folders.setdefault(path.parent.as_posix(), []).append(path.name)
        named = "; ".join(f"{folder}/: {', '.join(names)}" for folder, names in folders.items())
        lines.append(f"- {escaped(row.method)}: {escaped(named or 'none')}\n")
    return f"<details><summary>Result files</summary>\n\n{''.join(lines)}\n</details>\n"
