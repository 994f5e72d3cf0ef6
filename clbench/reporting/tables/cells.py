"""The tables of a report before they become Markdown, CSV, LaTeX or HTML: cells of text and numbers.

Every text is as it will be read, on one line and not yet escaped; renderers add nothing but their syntax.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clbench.reporting.formatting import Unit, rounded
from clbench.reporting.measures import Measure
from clbench.reporting.tables.comparison import Mark

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        text: What readers see.
        value: The mean, NaN if there is none.
        low: The lower bound of its 95 % interval, NaN if there is none.
        high: The upper bound, likewise.
        deviation: The standard deviation between runs, likewise.
        n: How many runs are behind it.
        mark: Whether it is the best of its column, or not significantly worse.
        p: Of the test against the best, NaN if there is none.
        files: The result files behind it.
    """

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    deviation: float = math.nan
    n: int = 0
    mark: Mark = ""
    p: float = math.nan
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """What a column is of.

    Attributes:
        name: For machines.
        heading: For readers.
        definition: One line.
        shown: Whether readers see it.
        judged: Whether a method can be the best in it.
    """

    name: str
    heading: str
    definition: str = ""
    shown: bool = True
    judged: bool = False


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        method: Its name for readers.
        signs: Its marks, such as †.
        remarks: What else is to be said of it.
        status: ``done``, ``partial``, ``failed``, ``diverged``, ``running`` or ``missing``.
        runs: What stands under ``n``.
        cells: One for each column.
        files: The result files behind all of them.
        facts: For machines: what else is known, by column.
    """

    method: str
    signs: str
    remarks: tuple[str, ...]
    status: str
    runs: str
    cells: tuple[Cell, ...]
    files: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The method with its marks and remarks."""
        others = f" ({', '.join(self.remarks)})" if self.remarks else ""
        return f"{self.method}{' ' if self.signs else ''}{self.signs}{others}"


@dataclass(frozen=True)
class Table:
    """One section of a report.

    Attributes:
        title: Over the table.
        caption: A sentence under the title.
        counted: The heading of the column of :attr:`Row.runs`.
        columns: What the cells of each row are.
        rows: The methods.
        best: What it means that a cell is the best; empty where none is.
        close: What it means that one is not significantly worse; empty where there is no test.
        notes: Lines under the table.
    """

    title: str
    caption: str
    counted: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    best: str = ""
    close: str = ""
    notes: tuple[str, ...] = ()

    def visible(self) -> Table:
        """The table with only those columns that readers see."""
        kept = [place for place, column in enumerate(self.columns) if column.shown]
        rows = (replace(row, cells=tuple(row.cells[place] for place in kept)) for row in self.rows)
        return replace(self, columns=tuple(self.columns[place] for place in kept), rows=tuple(rows))

    def lines(self, close: str) -> list[str]:
        """The lines under the table; ``close`` names the look of what is not significantly worse."""
        judged = [f"Bold: {self.best}."] if self.best else []
        judged += [f"{close}: {self.close}."] if self.close else []
        return [*judged, *self.notes]


@dataclass(frozen=True)
class Document:
    """All tables of a report.

    Attributes:
        compared: A table for each scenario and encoder.
        across: A table across scenarios for each encoder that has several.
        reading: How to read them, in one paragraph.
        definitions: The columns that readers see in some table, each once.
        source: Where the numbers come from.
    """

    compared: tuple[Table, ...]
    across: tuple[Table, ...]
    reading: str
    definitions: tuple[Column, ...]
    source: str

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables in the order of the report."""
        return self.compared + self.across


def mean_text(mean: float, low: float, high: float, unit: Unit) -> str:
    """A mean with its interval, which is left out where there is none or it has no width.

    Example:
        >>> mean_text(0.719, 0.7013, 0.7322, "share")
        '71.9 [70.1, 73.2]'
        >>> mean_text(2048, 1536, 3072, "bytes"), mean_text(0.5, 0.5, 0.5, "share")
        ('2.0 [1.5, 3.0] KiB', '50.0')
    """
    if math.isnan(mean):
        return NOTHING
    bounded = low < high  # false for NaN
    texts, suffix = rounded([mean, low, high] if bounded else [mean], unit)
    return texts[0] + (f" [{texts[1]}, {texts[2]}]" if bounded else "") + suffix


def measure_cell(row: Mapping[Any, Any], measure: Measure, files: tuple[str, ...]) -> Cell:
    """The cell of one measure in a row of the comparison; its status where no run is finished."""
    if not row["n"]:
        return Cell(row["status"])
    value, low, high, deviation, n, mark, p = (
        row[f"{measure.name}{end}"] for end in ("", "_low", "_high", "_sd", "_n", "_mark", "_p")
    )
    text = mean_text(value, low, high, measure.unit) + (f" (n = {n})" if 0 < n < row["n"] else "")
    return Cell(text, value, low, high, deviation, n, mark, p, files)


def shown_paths(paths: Sequence[str], relative_to: Path | None) -> tuple[str, ...]:
    """Paths of result files as they stand in a report: from its folder, and never from a machine's root."""
    return tuple(
        path
        if relative_to is None and not Path(path).is_absolute()
        else Path(os.path.relpath(path, relative_to)).as_posix()
        for path in paths
    )
