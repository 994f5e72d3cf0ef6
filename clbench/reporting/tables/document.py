"""The tables of a set of results, as cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clbench.reporting.formatting import count_text, plain
from clbench.reporting.load import PANEL
from clbench.reporting.measures import MEASURES, TOKENS, Measure, chosen, of_task
from clbench.reporting.names import common_tuning, in_common
from clbench.reporting.statistics.simultaneous import ALPHA
from clbench.reporting.tables.cells import Column, Document, Row, Table, measure_cell, shown_paths
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.notes import (
    at_chance,
    beaten,
    footnotes,
    mixed,
    provenance,
    remarks,
    signs,
    timed_on,
    unfinished,
)
from clbench.reporting.tables.summary import summary_tables

READING = (
    "R[t, i] is the accuracy on experience i after training stage t; T is the last stage. Values are means "
    "over the n finished runs (orders and seeds). Brackets give the 95 % bootstrap interval of the mean, "
    "which resamples orders first and then seeds within each order; there is none for fewer than three runs "
    "or for equal values. A dash marks a value that is undefined or was not recorded. Joint training "
    "comes first, then methods by average accuracy. Joint training, and methods that train one model per "
    "experience, are never marked as the best. Seconds depend on the machine and its load, and have no best."
)

_FACTS = ("scenario", "title", "encoder", "method", "name", "notes", "stream", "status", "runs", "n")
LANGUAGE = (
    "Of language models, R is in bits per byte of UTF-8, where lower is better. Averages are those of R; "
    "forgetting is the rise over the best, and transfers are positive where bits fall: what is better has "
    "the sign that it has for accuracies. Methods stand by average bits per byte, the lowest first."
)
"""How to read tables of language models."""


def document(
    frame: pd.DataFrame,
    columns: Sequence[str] | None = None,
    relative_to: Path | None = None,
    compared: pd.DataFrame | None = None,
) -> Document:
    """The tables of a report.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        columns: Names of measures, in the order of the columns; None shows the default columns.
        relative_to: The folder of the report, from which result files are named.
        compared: The comparison of ``frame``, where it is made already.

    Raises:
        UserError: There is no measure of that name.
    """
    compared = comparison_table(frame) if compared is None else compared
    tables = compared_tables(frame, columns, relative_to, compared)
    seen = {column.name for table in tables for column in table.columns if column.shown}
    return Document(
        compared=tables,
        across=tuple(summary_tables(frame, compared, relative_to)),
        reading=f"{READING} {LANGUAGE}" if (frame["task"] == TOKENS).any() else READING,
        definitions=tuple(
            _column(measure, shown=True) for measure in _measures(columns) if measure.name in seen
        ),
        source=provenance(frame),
    )


def compared_tables(
    frame: pd.DataFrame,
    columns: Sequence[str] | None = None,
    relative_to: Path | None = None,
    compared: pd.DataFrame | None = None,
) -> tuple[Table, ...]:
    """Only the tables of one scenario and encoder each, as in :func:`document`.

    ``compared`` is the comparison of ``frame``, where it is made already.
    """
    compared = comparison_table(frame) if compared is None else compared
    panels = dict(list(frame.groupby(PANEL)))
    common, tuning = in_common(frame), common_tuning(frame)
    about = f", {tuning}" if tuning else ""
    return tuple(
        _table(
            rows,
            panels[keys],
            of_task(_measures(columns), rows["task"].iloc[0]),
            columns is not None,
            relative_to,
            about,
            [f"In all rows of {plain(each)}." for each in common],
        )
        for keys, rows in compared.groupby(PANEL, sort=True)
    )


def _measures(columns: Sequence[str] | None) -> Sequence[Measure]:
    return MEASURES if columns is None else chosen(columns)


def _table(
    rows: pd.DataFrame,
    panel: pd.DataFrame,
    measures: Sequence[Measure],
    all_shown: bool,
    relative_to: Path | None,
    about: str,
    common: Sequence[str],
) -> Table:
    """``about`` is said after the encoder, and ``common`` below the table: what names leave out."""
    runs = dict(list(panel[panel["status"] == "done"].groupby("method")))
    columns = tuple(_column(each, shown=all_shown or _telling(each, rows)) for each in measures)
    records = rows.to_dict("records")
    scenario, encoder = (plain(str(rows[name].iloc[0])) for name in PANEL)
    timed = any(
        column.shown and each.unit == "seconds" for column, each in zip(columns, measures, strict=True)
    )
    best, close = _judgement(rows, [column.name for column in columns if column.shown])
    return Table(
        title=plain(rows["title"].iloc[0]),
        caption=f"Scenario {scenario}, encoder {encoder}{about}.",
        counted="n",
        columns=columns,
        rows=tuple(
            _row(row, runs.get(row["method"], panel.iloc[:0]), measures, relative_to) for row in records
        ),
        best=best,
        close=close,
        notes=(
            *footnotes(records),
            *common,
            *beaten(records),
            *at_chance(panel),
            *unfinished(panel),
            *mixed(panel),
            *(timed_on(panel) if timed else ()),
        ),
    )


def _column(measure: Measure, *, shown: bool) -> Column:
    judged = measure.better is not None
    return Column(measure.name, measure.heading, measure.definition, shown, judged)


def _telling(measure: Measure, rows: pd.DataFrame) -> bool:
    """Whether a column is shown by default."""
    filled = bool((rows[measure.name].fillna(0) != 0).any())
    return measure.shown == "always" or (measure.shown == "filled" and filled)


def _row(
    row: Mapping[Any, Any],
    runs: pd.DataFrame,
    measures: Sequence[Measure],
    relative_to: Path | None,
) -> Row:
    files = shown_paths(row["files"], relative_to)
    cells = []
    for measure in measures:
        own = files
        if row[f"{measure.name}_n"] < row["n"]:  # not every run need have every measure
            own = shown_paths(list(runs["path"][runs[measure.source].notna()]), relative_to)
        cells.append(measure_cell(row, measure, own))
    return Row(
        method=plain(row["name"]),
        signs=signs(row["notes"]),
        remarks=remarks(row["notes"]),
        status=row["status"],
        runs=count_text(row["n"], row["runs"]),
        cells=tuple(cells),
        files=files,
        facts=tuple(
            (name, ";".join(map(str, row[name])) if name == "notes" else str(row[name])) for name in _FACTS
        ),
    )


def _judgement(rows: pd.DataFrame, names: Sequence[str]) -> tuple[str, str]:
    """What bold and underlined values of these columns mean; empty if there are none."""
    if not any((rows[f"{name}_mark"] == "best").any() for name in names):
        return "", ""
    pairs = pd.concat([rows.loc[rows[f"{name}_p"].notna(), f"{name}_pairs"] for name in names])
    if pairs.empty:
        return "the best mean of a column; no test, as no other method has the same three runs or more", ""
    least, most = pairs.min(), pairs.max()
    return (
        "the best mean of a column",
        "not significantly worse than it (Tukey's test of all pairs, which accounts for choosing the best by "
        f"these runs, on the {least if least == most else f'{least} to {most}'} orders and seeds that all "
        f"tested methods have, p ≥ {ALPHA})",
    )
