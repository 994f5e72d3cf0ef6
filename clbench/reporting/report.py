"""All tables and plots of a set of results, written into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clbench.files import write_text
from clbench.reporting.load import load_results
from clbench.reporting.plots import gallery, save
from clbench.reporting.render import csv, markdown


def write_report(results: Sequence[Path], out: Path) -> list[Path]:
    """Writes ``table.md``, ``table.csv`` and all figures, each as SVG and PDF, into ``out``.

    Args:
        results: Result files, globs, or folders of them.
        out: A folder; made if it is not there. Each file is replaced as a whole.

    Returns:
        The paths of the written files.

    Raises:
        UserError: As in :func:`clbench.reporting.load.load_results`; nothing is written then.
    """
    frame = load_results(results)
    table, raw = out / "table.md", out / "table.csv"
    write_text(table, markdown(frame))
    write_text(raw, csv(frame))
    return [
        table,
        raw,
        *(path for name, figure in gallery(frame) for path in save(figure, out / name)),
    ]
