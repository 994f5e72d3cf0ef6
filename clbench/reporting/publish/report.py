"""All tables and plots of a set of results, written into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clbench.core.io import write_text
from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.tables.cells import Document
from clbench.reporting.tables.document import document
from clbench.reporting.tables.render_csv import as_csv
from clbench.reporting.tables.render_html import as_html
from clbench.reporting.tables.render_latex import as_latex
from clbench.reporting.tables.render_markdown import as_markdown


def write_report(
    frame: pd.DataFrame,
    out: Path,
    *,
    columns: Sequence[str] | None = None,
    figures: bool = True,
    compared: pd.DataFrame | None = None,
) -> list[Path]:
    """Writes all tables, and all figures, each as SVG and PDF, into ``out``.

    The tables are ``table.md``, ``table.csv``, ``table.tex`` and ``table.html``; where there are several
    scenarios, ``summary.csv`` has the numbers across them.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        out: A folder; made if it is not there. Each file is replaced as a whole.
        columns: Names of :data:`clbench.reporting.measures.MEASURES`; None shows the default columns.
        figures: Whether to make figures.
        compared: The comparison of ``frame``, where it is made already.

    Returns:
        The paths of the written files.

    Raises:
        UserError: There is no measure of that name; nothing is written then.
    """
    tables = _tables(document(frame, columns, out, compared))
    for name, text in tables.items():
        write_text(out / name, text)
    return [
        *(out / name for name in tables),
        *(path for name, figure in (gallery(frame) if figures else ()) for path in save(figure, out / name)),
    ]


def _tables(report: Document) -> dict[str, str]:
    """The text of each file of tables."""
    files = {
        "table.md": as_markdown(report),
        "table.csv": as_csv(report.compared),
        "table.tex": as_latex(report),
        "table.html": as_html(report),
    }
    return files | ({"summary.csv": as_csv(report.across)} if report.across else {})
