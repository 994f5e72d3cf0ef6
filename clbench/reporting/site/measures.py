"""Columns of the comparison table as cells of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from clbench.core.notes import Note
from clbench.reporting.formatting import rounded
from clbench.reporting.measures import MEASURES, Measure
from clbench.reporting.site.values import in_unit
from clbench.reporting.tables.notes import MEANINGS
from clbench.reporting.tables.render import TERMINAL

MAIN = {*TERMINAL, "carried_bytes_total"}
"""The measures that are shown by default in narrow tables."""


def measured(table: pd.DataFrame) -> list[Measure]:
    """The measures that a table has a value of, or one that is not zero where they are only shown then."""
    return [
        each
        for each in MEASURES
        if table[each.name].notna().any()
        and not (each.shown == "filled" and (table[each.name].fillna(0) == 0).all())
    ]


def mean(row: Mapping[Any, Any], measure: Measure) -> str:
    """The mean over the finished runs."""
    return in_unit(float(row[measure.name]), measure.unit)


def spread(row: Mapping[Any, Any], measure: Measure) -> str:
    """The 95 % interval of the mean, in its unit; empty where there is none or it has no width."""
    low, high = float(row[f"{measure.name}_low"]), float(row[f"{measure.name}_high"])
    if not low < high:  # false for NaN too
        return ""
    (_, *bounds), _ = rounded([float(row[measure.name]), low, high], measure.unit)
    return f"[{', '.join(bounds)}]"


SPREAD_MEANING = (
    "Values are means over finished runs, and under them their 95 % intervals where there are several."
)
"""What :func:`spread` shows, in words."""


def of_run(run: Mapping[str, Any]) -> list[tuple[Measure, float]]:
    """What was measured in one run, a row of loaded results."""
    values = [(each, float(run.get(each.source, math.nan))) for each in MEASURES]
    return [(measure, value) for measure, value in values if not math.isnan(value)]


def meaning(note: Note) -> str:
    """What a note says: its own text, or what its kind means.

    Example:
        >>> meaning(Note("task-id-oracle")), meaning(Note("deviation", "300 texts"))
        ('is told which experience a test text belongs to.', '300 texts')
    """
    return note.text or MEANINGS.get(note.kind, "differs from the paper.")
