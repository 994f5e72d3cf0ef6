"""All tables and plots of a set of results, written into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clbench.files import write_text
from clbench.reporting.load import load_results
from clbench.reporting.plots import accuracy_time_figure, save, stream_accuracy_figure
from clbench.reporting.render import csv, markdown


def write_report(results: Sequence[Path], out: Path) -> list[Path]:
    """Writes ``table.md``, ``table.csv``, ``stream_accuracy`` and ``accuracy_time`` (svg, png) into ``out``.

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
        *save(stream_accuracy_figure(frame), out / "stream_accuracy"),
        *save(accuracy_time_figure(frame), out / "accuracy_time"),
    ]
