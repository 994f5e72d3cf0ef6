"""Tables of a page as data: what templates draw, and scripts sort and filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    """

    text: str
    value: float = math.nan
    aside: str = ""
    href: str = ""
    notes: Sequence[Note] = ()
    items: Sequence[str] = ()

    @property
    def key(self) -> str:
        """``value`` as a script reads it; empty for NaN."""
        return "" if math.isnan(self.value) else repr(self.value)


@dataclass(frozen=True)
class Grid:
    """A table with a caption; the first column names its rows."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    tools: bool = False
    """Whether it has filters and a choice of columns."""

    @property
    def definitions(self) -> list[Column]:
        """The columns that say what they mean."""
        return [column for column in self.columns if column.definition]

    @property
    def notes(self) -> list[Note]:
        """The notes of all cells, each once."""
        return sorted({note for row in self.rows for cell in row for note in cell.notes})
