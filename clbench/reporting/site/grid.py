"""Tables of a page as data: what templates draw, and scripts sort and filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clbench.core.notes import Note


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        heading: Stands over it.
        kind: Whether its cells sort as text or by their values.
        choice: Whether a filter offers its values.
        shown: Whether it is shown at first.
        definition: What it means, one line.
    """

    heading: str
    kind: Literal["text", "number"] = "text"
    choice: bool = False
    shown: bool = True
    definition: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What it says.
        value: What it is sorted by, in a column of numbers; NaN is last.
        aside: Said after it in smaller letters: an interval, an error.
        href: Where it leads.
        notes: What readers must know of it.
        items: A list instead of one text.
        bar: The share that a bar behind the number shows, and the bounds of its interval; nothing without.
    """

    text: str
    value: float = math.nan
    aside: str = ""
    href: str = ""
    notes: Sequence[Note] = ()
    items: Sequence[str] = ()
    bar: Sequence[float] = ()

    @property
    def key(self) -> str:
        """``value`` as a script reads it; empty for NaN."""
        return "" if math.isnan(self.value) else repr(self.value)


ColumnOf = tuple[Column, Callable[[Mapping[Any, Any]], Cell]]
"""A column, and what makes its cell of a record."""


@dataclass(frozen=True)
class Grid:
    """A table with a caption; the first column names its rows."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    tools: bool = False
    """Whether it has filters and a choice of columns."""

    @classmethod
    def of(
        cls,
        caption: str,
        records: Iterable[Mapping[Any, Any]],
        columns: Sequence[ColumnOf],
        *,
        tools: bool = False,
    ) -> Grid:
        """A table with a row for each record."""
        rows = [[cell(record) for _, cell in columns] for record in records]
        return cls(caption, [column for column, _ in columns], rows, tools)

    @property
    def definitions(self) -> list[Column]:
        """The columns that say what they mean."""
        return [column for column in self.columns if column.definition]

    @property
    def notes(self) -> list[Note]:
        """The notes of all cells, each once."""
        return sorted({note for row in self.rows for cell in row for note in cell.notes})
