"""The tables that compare methods, and those that list runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from clbench.reporting.formatting import count_text
from clbench.reporting.measures import MEASURES, Measure
from clbench.reporting.site.grid import Cell, Column, ColumnOf, Grid
from clbench.reporting.site.measures import MAIN, mean, measured, spread
from clbench.reporting.site.names import run_label
from clbench.reporting.site.values import in_unit, number, short
from clbench.reporting.tables.cells import NOTHING

WIDE = ("bwt", "bwt_bits", "seconds_per_epoch")
"""The measures that readers choose on the page: with them, tables are wider than a screen."""
BARS = ("average_accuracy", "forgetting")
"""The measures with a bar beside their number."""


def methods_grid(
    table: pd.DataFrame,
    caption: str,
    scenarios: Mapping[str, str],
    runs: Mapping[tuple[str, str, str], str],
    *,
    everything: bool,
) -> Grid:
    """A table of methods with all their measures.

    Args:
        table: Rows of the comparison.
        caption: Of the table.
        scenarios: Where a scenario's name leads; without any, there is no column for it.
        runs: By scenario, encoder and method, where the name of the method leads.
        everything: Whether more than the main columns are shown at first; readers can choose others.
    """
    rows = table[table["runs"] > 0]
    scenario = (
        Column("Scenario", choice=True),
        lambda row: Cell(row["scenario"], href=scenarios[row["scenario"]]),
    )
    several, unfinished = rows["encoder"].nunique() > 1, bool((rows["status"] != "done").any())
    counted = Column("Runs", "number", definition="finished runs (seeds and orders) that the means are over.")

    def method(row: Mapping[Any, Any]) -> Cell:
        place = row["scenario"], row["encoder"], row["method"]
        return Cell(row["name"], notes=row["notes"], href=runs[place])

    columns: list[ColumnOf] = [
        (Column("Method"), method),
        *([scenario] if scenarios else []),
        (Column("Encoder", choice=True, shown=several), lambda row: Cell(row["encoder"])),
        (Column("Tuning", choice=True, shown=False), lambda row: Cell(row["tuning"] or NOTHING)),
        (Column("Sees the future", choice=True, shown=False), lambda row: Cell(_sees_future(row))),
        (Column("Status", choice=True, shown=unfinished), lambda row: Cell(row["status"])),
        *(_mean_column(measure, everything=everything) for measure in measured(rows)),
        (counted, lambda row: Cell(count_text(row["n"], row["runs"]), row["n"])),
    ]
    return Grid.of(caption, rows.to_dict("records"), columns, tools=True)


def _mean_column(measure: Measure, *, everything: bool) -> ColumnOf:
    shown = measure.name in MAIN or (everything and measure.shown != "chosen" and measure.name not in WIDE)
    return (
        Column(measure.heading, "number", shown=shown, definition=measure.definition),
        lambda row: Cell(mean(row, measure), row[measure.name], spread(row, measure), bar=_bar(row, measure)),
    )


def _sees_future(row: Mapping[Any, Any]) -> str:
    return "yes" if any(note.kind == "sees-future" for note in row["notes"]) else "no"


def _bar(row: Mapping[Any, Any], measure: Measure) -> tuple[float, ...]:
    """Accuracy and forgetting as shares of a bar; negative forgetting has none."""
    if measure.name not in BARS or math.isnan(row[measure.name]):
        return ()
    ends = [row[f"{measure.name}{end}"] for end in ("", "_low", "_high")]
    return tuple(min(1.0, max(0.0, float(each))) for each in ends if not math.isnan(each))


def telling(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The run that tells what the experiences of a scenario are: the first finished one that has several."""
    return next((run for run in runs if run["status"] == "done" and run["stream"] != "joint"), None)


def experiences_grid(told: Mapping[str, Any]) -> Grid:
    """What the experiences of a scenario are, as a run tells it."""
    classes = [*told["classes"], *([] for _ in told["experiences"])]  # older files do not tell them
    records = [
        {"place": place, "classes": classes[place - 1], **each}
        for place, each in enumerate(told["experiences"], start=1)
    ]
    sizes = {
        "examples": "Training texts",
        "validation_examples": "Validation texts",
        "test_examples": "Test texts",
        "steps": "Training steps",
    }
    columns: list[ColumnOf] = [
        (Column("Experience"), lambda one: Cell(f"{one['place']} {one.get('name', '')}")),
        (Column("Classes"), lambda one: Cell(_classes(one["classes"]))),
        *(
            _size_column(key, heading)
            for key, heading in sizes.items()
            if any(key in each for each in records)
        ),
    ]
    return Grid.of(f"Experiences of order {told['order']}, seed {told['seed']}", records, columns)


def _classes(names: Sequence[str]) -> str:
    """How many classes, and the first of them.

    Example:
        >>> _classes(["earn", "acq"]), _classes(["a", "b", "c", "d", "e"])
        ('2: earn, acq', '5: a, b, c, …')
    """
    if not names:
        return NOTHING
    return f"{len(names)}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"


def _size_column(key: str, heading: str) -> ColumnOf:
    return Column(heading, "number"), lambda one: Cell(short(one.get(key)), number(one.get(key)))


def runs_grid(runs: Iterable[Mapping[str, Any]], links: Iterable[str]) -> Grid:
    """The runs of a scenario, each with a link to its page and the measures that any of them has."""
    records = list(_linked(runs, links))
    shown = [
        measure
        for measure in MEASURES
        if measure.name in MAIN and any(not math.isnan(_value(run, measure)) for run in records)
    ]
    columns: list[ColumnOf] = [
        (Column("Run"), lambda run: Cell(run_label(run), href=run["link"])),
        (Column("Method", choice=True, shown=False), lambda run: Cell(run["name"])),
        (Column("Encoder", choice=True, shown=False), lambda run: Cell(run["encoder"])),
        (Column("Order", choice=True, shown=False), lambda run: Cell(run["order"])),
        (Column("Seed", "number", shown=False), lambda run: Cell(str(run["seed"]), run["seed"])),
        (Column("Status", choice=True), lambda run: Cell(run["status"], aside=run["error"])),
        *(_run_column(measure) for measure in shown),
    ]
    return Grid.of("Runs", records, columns, tools=True)


def _run_column(measure: Measure) -> ColumnOf:
    def cell(run: Mapping[Any, Any]) -> Cell:
        value = _value(run, measure)
        return Cell(in_unit(value, measure.unit), value)

    return Column(measure.heading, "number"), cell


def _value(run: Mapping[Any, Any], measure: Measure) -> float:
    return float(run.get(measure.source, math.nan))


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
