"""The tables that compare methods, and those that list runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from clbench.reporting.site.grid import Cell, Column, Grid
from clbench.reporting.site.measures import MAIN, MEASURES, at_first, mean, measured, of_run, spread
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
    measures = measured(rows)
    columns = [
        Column("Method"),
        *([Column("Scenario", choice=True)] if scenarios else []),
        Column("Encoder", choice=True, shown=rows["encoder"].nunique() > 1),
        Column("Status", choice=True, shown=bool((rows["status"] != "done").any())),
        Column("Runs", "number", definition="finished runs (seeds and orders) that the means are over."),
        *(
            Column(
                measure.heading,
                "number",
                shown=measure.name in MAIN or (everything and at_first(measure)),
                definition=measure.definition,
            )
            for measure in measures
        ),
    ]
    cells = []
    for row in rows.to_dict("records"):
        runs = str(row["n"]) if row["n"] == row["runs"] else f"{row['n']} of {row['runs']}"
        scenario = [Cell(row["scenario"], href=scenarios[row["scenario"]])] if scenarios else []
        cells.append(
            [
                Cell(row["method"], notes=row["notes"]),
                *scenario,
                Cell(row["encoder"]),
                Cell(row["status"]),
                Cell(runs, row["n"]),
                *(Cell(mean(row, each), row[each.name], spread(row, each)) for each in measures),
            ]
        )
    return Grid(caption, columns, cells, tools=True)


def runs_grid(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Grid:
    """The runs of a scenario, each with a link to its page."""
    measures = [each for each in MEASURES if each.name in MAIN]
    columns = [
        Column("Run"),
        Column("Method", choice=True, shown=False),
        Column("Encoder", choice=True, shown=False),
        Column("Order", choice=True, shown=False),
        Column("Seed", "number", shown=False),
        Column("Status", choice=True),
        *(Column(each.heading, "number") for each in measures),
    ]
    cells = []
    for run, link in zip(runs, links, strict=True):
        values = dict(of_run(run))
        found = [(values.get(each, math.nan), each.unit) for each in measures]
        cells.append(
            [
                Cell(run_label(run), href=link),
                Cell(run["method"]),
                Cell(run["encoder"]),
                Cell(run["order"]),
                Cell(str(run["seed"]), run["seed"]),
                Cell(run["status"], aside=run["error"]),
                *(Cell(in_unit(value, unit), value) for value, unit in found),
            ]
        )
    return Grid("Runs", columns, cells, tools=True)


def unfinished_grid(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Grid:
    """The runs that are not finished, and so in no mean, with their errors."""
    columns = [Column("Run"), Column("Scenario"), Column("Status"), Column("Error")]
    return Grid(
        "Runs that are not finished",
        columns,
        [
            [
                Cell(run_label(run), href=link),
                Cell(run["scenario"]),
                Cell(run["status"]),
                Cell(run["error"] or "none recorded"),
            ]
            for run, link in zip(runs, links, strict=True)
            if run["status"] != "done"
        ],
    )
