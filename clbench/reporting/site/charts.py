"""What the charts of a page draw, as data for its scripts: pages from disk load scripts, but no files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from clbench.core.types import FAMILIES
from clbench.reporting.figures.canvas import finished
from clbench.reporting.figures.costs import AFTER_ENCODING, costs_of
from clbench.reporting.figures.costs import COSTS as AXES
from clbench.reporting.figures.curves import spread_out, stacked
from clbench.reporting.figures.matrices import mean_matrix
from clbench.reporting.figures.styles import COLORS, line_styles
from clbench.reporting.hardware import with_comparable_seconds
from clbench.reporting.load import PANEL, classified
from clbench.reporting.measures import MEASURES, RANKED
from clbench.reporting.site.names import run_label

SIDE = 40
"""The most experiences of a heat map of a page."""
_SAID = {"seconds": " s", "amount": " FLOPs", "bytes": " carried"}
_MEASURED = {
    each.name: (AXES[each.source], each.unit, _SAID[each.unit]) for each in MEASURES if each.source in AXES
}
"""The costs that a chart offers, with the label and the unit of their axis, and what follows a number."""
FAMILY_COLORS = {
    "naive": COLORS[6], "bottleneck": COLORS[0], "penalties": COLORS[1], "rehearsal": COLORS[2],
    "prototypes": COLORS[3], "projections and masks": COLORS[4], "other": "#6b6b6b",
}  # fmt: skip


def cost_chart(
    frame: pd.DataFrame, table: pd.DataFrame, ids: Sequence[str], root: str = ""
) -> dict[str, Any]:
    """Accuracy against costs: a point for each method of each scenario, with links to its runs.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        table: The comparison of it.
        ids: The names of the pages of the runs of ``frame``.
        root: Leads from the page to the folder of the report.
    """
    looks = line_styles(frame)
    pages: dict[tuple[str, ...], list[list[str]]] = {}
    for run, page in zip(frame.to_dict("records"), ids, strict=True):
        key = tuple(str(run[name]) for name in (*PANEL, "method"))
        pages.setdefault(key, []).append([run_label(run), f"{root}runs/{page}.html"])
    offered = _MEASURED
    if label := costs_of(frame).get(AFTER_ENCODING):  # begins with it
        offered = {AFTER_ENCODING: (label, "seconds", " s without encoding"), **_MEASURED}
    after = with_comparable_seconds(finished(frame)).groupby([*PANEL, "method"])[AFTER_ENCODING].mean()
    points = []
    for row in table[table["n"] > 0].to_dict("records"):
        key = tuple(str(row[name]) for name in (*PANEL, "method"))
        ranked = RANKED[row["task"]]
        low, high = (_number(row[f"{ranked.name}_{end}"]) for end in ("low", "high"))
        points.append(
            {
                "scenario": f"{row['scenario']}, {row['encoder']}",
                "name": row["name"],
                "family": looks[row["method"]].kind,
                "competes": row["competes"],
                "lower": ranked.better == "lower",
                "unit": ranked.unit,
                "value": _number(row[ranked.name]),
                "low": low,
                "high": high,
                "costs": {
                    name: _number(after.get(key, math.nan) if name == AFTER_ENCODING else row[name])
                    for name in offered
                },
                "runs": pages[key],
            }
        )
    return {"costs": offered, "families": _families(point["family"] for point in points), "points": points}


def curve_chart(runs: pd.DataFrame, whole: pd.DataFrame) -> dict[str, Any]:
    """Stream accuracy after each experience: a line for each method and encoder of one scenario."""
    looks = line_styles(whole)
    done = runs[(runs["status"] == "done") & (runs["stream_accuracy"].map(len) > 0)]
    stages = int(done["stream_accuracy"].map(len).max()) if len(done) else 0
    several = done["encoder"].nunique() > 1
    lines = []
    for (encoder, method), mine in done.groupby(["encoder", "method"]):
        values = spread_out(stacked(mine["stream_accuracy"]), stages).mean(axis=0)
        look = looks[str(method)]
        lines.append(
            {
                "name": mine["name"].iloc[0] + (f", {encoder}" if several else ""),
                "family": look.kind,
                "color": look.color,
                "competes": bool(mine["competes"].all()),
                "values": [_number(value) for value in values],
            }
        )
    lines.sort(key=lambda line: (FAMILIES.index(line["family"]), -(line["values"][-1] or 0)))
    return {"stages": stages, "families": _families(line["family"] for line in lines), "lines": lines}


def heat_maps(runs: pd.DataFrame, whole: pd.DataFrame) -> list[dict[str, Any]]:
    """The mean accuracy matrix of each method and encoder of one scenario, in %; none of long streams."""
    done = finished(classified(runs))
    stages = max((len(row) for matrix in done["accuracy"] for row in matrix), default=0)
    if not 1 < stages <= SIDE:
        return []
    several = done["encoder"].nunique() > 1
    looks = line_styles(whole)
    found = []
    for (encoder, method), mine in done.groupby(["encoder", "method"]):
        values = mean_matrix(mine["accuracy"].to_list(), stages)
        if values is not None:
            name = mine["name"].iloc[0] + (f", {encoder}" if several else "")
            rows = [[_number(round(each, 1)) for each in row] for row in values]
            found.append({"name": name, "family": looks[str(method)].kind, "rows": rows})
    return sorted(found, key=lambda each: (FAMILIES.index(each["family"]), each["name"]))


def _families(found: Iterable[str]) -> dict[str, str]:
    """The families that occur, with their colors, in their usual order."""
    present = set(found)
    return {family: FAMILY_COLORS[family] for family in FAMILIES if family in present}


def _number(value: float) -> float | None:
    """A number that JSON has: neither NaN nor infinity; with digits that a screen can show."""
    return None if not math.isfinite(value) else float(f"{value:.6g}")
