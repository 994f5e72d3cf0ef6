"""The comparison as Markdown, CSV, LaTeX, HTML and plain text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clbench.reporting.tables.document import compared_tables, document
from clbench.reporting.tables.notes import MARKS
from clbench.reporting.tables.render_csv import as_csv
from clbench.reporting.tables.render_html import as_html
from clbench.reporting.tables.render_latex import as_latex
from clbench.reporting.tables.render_markdown import aligned, as_markdown

TERMINAL = (
    "average_accuracy", "stream_accuracy", "forgetting",
    "average_bits_per_byte", "forgetting_bits", "general_rise_bits", "seconds_total",
)  # fmt: skip
"""The columns of the table that ``clbench report`` prints."""


def markdown(
    frame: pd.DataFrame, columns: Sequence[str] | None = None, *, relative_to: Path | None = None
) -> str:
    """The comparison for readers: a section per scenario and encoder, and those across scenarios.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        columns: Names of :data:`clbench.reporting.measures.MEASURES`, in the order of the columns; None
            shows the default columns.
        relative_to: The folder of the report, from which result files are named.

    Raises:
        UserError: There is no measure of that name.
    """
    return as_markdown(document(frame, columns, relative_to))


def csv(frame: pd.DataFrame, columns: Sequence[str] | None = None, *, relative_to: Path | None = None) -> str:
    """The comparison without any rounding, a row per scenario, encoder and method; as :func:`markdown`.

    By default it has all measures. Result files are separated by semicolons.
    """
    return as_csv(compared_tables(frame, columns, relative_to))


def latex(
    frame: pd.DataFrame, columns: Sequence[str] | None = None, *, relative_to: Path | None = None
) -> str:
    """The comparison as ``table`` environments with booktabs; as :func:`markdown`."""
    return as_latex(document(frame, columns, relative_to))


def html(
    frame: pd.DataFrame, columns: Sequence[str] | None = None, *, relative_to: Path | None = None
) -> str:
    """The comparison as a fragment of a page; as :func:`markdown`."""
    return as_html(document(frame, columns, relative_to))


def text_table(frame: pd.DataFrame, *, compared: pd.DataFrame | None = None) -> str:
    """A short summary of ``frame`` (loaded results) for the terminal, without a final line break.

    ``compared`` is the comparison of ``frame``, where it is made already.
    """
    parts = []
    for full in compared_tables(frame, TERMINAL, compared=compared):
        table = full.visible()
        # Methods without a run here are listed in one line below the table.
        body = [
            [row.label, row.runs, *(cell.text for cell in row.cells)]
            for row in table.rows
            if row.status != "missing"
        ]
        missing = [row.method for row in table.rows if row.status == "missing"]
        headings = ["Method", table.counted, *(column.heading for column in table.columns)]
        lines = [f"{table.title} ({table.caption.rstrip('.')})", aligned(body, headings, "simple")]
        lines += [line for line in table.notes if line[0] in MARKS.values()]
        parts.append("\n".join(lines + ([f"No run of: {', '.join(missing)}."] if missing else [])))
    return "\n\n".join(parts)
