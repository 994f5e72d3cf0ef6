"""The tables that compare methods, and those that list runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from clbench.reporting.formatting import count_text
from clbench.reporting.measures import MEASURES, Measure
from clbench.reporting.site.grid import Cell, Column, ColumnOf, Grid
from clbench.reporting.site.measures import MAIN, mean, measured, spread
from clbench.reporting.site.names import run_label
from clbench.reporting.site.values import in_unit


def methods_grid(
    table: pd.DataFrame, caption: str, scenarios: Mapping[str, str], *, everything: bool
) -> Grid:
    """A table of methods with all their measures.

    Args:
        table: Rows of the comparison.
        caption: Of the table.
        scenarios: Where a scenario's name leads; without any, there is no column for it.
        everything: Whether all columns are shown at first, or the main ones.
    """
    rows = table[table["runs"] > 0]
    scenario = Column("Scenario", choice=True), lambda row: Cell(row["scenario"], href=scenarios[row["scenario"]])
    several, unfinished = rows["encoder"].nunique() > 1, bool((rows["status"] != "done").any())
    counted = Column("Runs", "number", definition="finished runs (seeds and orders) that the means are over.")
    columns: list[ColumnOf] = [
        (Column("Method"), lambda row: Cell(row["name"], notes=row["notes"])),
        *([scenario] if scenarios else []),
        (Column("Encoder", choice=True, shown=several), lambda row: Cell(row["encoder"])),
        (Column("Status", choice=True, shown=unfinished), lambda row: Cell(row["status"])),
        (counted, lambda row: Cell(count_text(row["n"], row["runs"]), row["n"])),
        *(_mean_column(measure, everything=everything) for measure in measured(rows)),
    ]
    return Grid.of(caption, rows.to_dict("records"), columns, tools=True)


def _mean_column(measure: Measure, *, everything: bool) -> ColumnOf:
    shown = measure.name in MAIN or (everything and measure.shown != "chosen")
    return (
        Column(measure.heading, "number", shown=shown, definition=measure.definition),
        lambda row: Cell(mean(row, measure), row[measure.name], spread(row, measure)),
    )


def runs_grid(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Grid:
    """The runs of a scenario, each with a link to its page."""
    columns: list[ColumnOf] = [
        (Column("Run"), lambda run: Cell(run_label(run), href=run["link"])),
        (Column("Method", choice=True, shown=False), lambda run: Cell(run["name"])),
        (Column("Encoder", choice=True, shown=False), lambda run: Cell(run["encoder"])),
        (Column("Order", choice=True, shown=False), lambda run: Cell(run["order"])),
        (Column("Seed", "number", shown=False), lambda run: Cell(str(run["seed"]), run["seed"])),
        (Column("Status", choice=True), lambda run: Cell(run["status"], aside=run["error"])),
        *(_run_column(measure) for measure in MEASURES if measure.name in MAIN),
    ]
    return Grid.of("Runs", _linked(runs, links), columns, tools=True)


def _run_column(measure: Measure) -> ColumnOf:
    def cell(run: Mapping[Any, Any]) -> Cell:
        value = float(run.get(measure.source, math.nan))
        return Cell(in_unit(value, measure.unit), value)

    return Column(measure.heading, "number"), cell


def unfinished_grid(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Grid:
    """The runs that are not finished, and so in no mean, with their errors."""
    columns: list[ColumnOf] = [
        (Column("Run"), lambda run: Cell(run_label(run), href=run["link"])),
        (Column("Scenario"), lambda run: Cell(run["scenario"])),
        (Column("Status"), lambda run: Cell(run["status"])),
        (Column("Error"), lambda run: Cell(run["error"] or "none recorded")),
    ]
    unfinished = (run for run in _linked(runs, links) if run["status"] != "done")
    return Grid.of("Runs that are not finished", unfinished, columns)


def _linked(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    return ({**run, "link": link} for run, link in zip(runs, links, strict=True))
