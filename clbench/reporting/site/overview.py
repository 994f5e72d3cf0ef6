"""The first page: a summary of the results, the best methods and the Pareto fronts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from clbench.core.result_fields import STATUSES
from clbench.reporting.figures.costs import AFTER_ENCODING, costs_of
from clbench.reporting.figures.pareto import pareto_front
from clbench.reporting.formatting import Unit
from clbench.reporting.hardware import with_comparable_seconds
from clbench.reporting.load import PANEL
from clbench.reporting.measures import ACCURACY, RANKED, Measure
from clbench.reporting.site.grid import Cell, Column, Grid
from clbench.reporting.site.measures import mean, spread
from clbench.reporting.site.values import in_unit
from clbench.reporting.tables.cells import NOTHING
from clbench.reporting.tables.notes import sources

_UNITS: dict[str, Unit] = {
    "costs.seconds.total": "seconds", AFTER_ENCODING: "seconds", "costs.carried_bytes.total": "bytes",
}  # fmt: skip


def facts(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Counts, encoders and provenance of the results, as pairs of a name and its value."""
    counts = frame["status"].value_counts()
    ended = ", ".join(f"{counts[each]} {each}" for each in STATUSES if each in counts)
    return [
        ("Result files", f"{len(frame)} ({ended})"),
        ("Scenarios", str(frame["scenario"].nunique())),
        ("Methods", str(frame["method"].nunique())),
        ("Encoders", ", ".join(sorted(set(frame["encoder"])))),
        *((name.capitalize(), value) for name, value in sources(frame).items()),
    ]


def best_grid(table: pd.DataFrame, scenarios: Mapping[str, str]) -> Grid:
    """The most accurate method of each scenario and encoder."""
    rows = []
    for (scenario, encoder), methods in table.groupby(PANEL, sort=True):
        row = [Cell(str(scenario), href=scenarios[str(scenario)], aside=methods["title"].iloc[0])]
        row.append(Cell(str(encoder)))
        # The comparison has the best first.
        best = next((each for each in methods.to_dict("records") if each["n"] and each["competes"]), None)
        if best:
            row.append(Cell(best["name"], notes=best["notes"]))
            ranked = RANKED[best["task"]]
            unit = "" if ranked is ACCURACY else " bits per byte"
            row.append(Cell(mean(best, ranked) + unit, best[ranked.name], spread(best, ranked)))
            row.append(Cell(str(best["n"]), best["n"]))
        else:
            row += [Cell("no finished run"), Cell(NOTHING), Cell("0", 0)]
        rows.append(row)
    columns = [*map(Column, ("Scenario", "Encoder", "Best method"))]
    columns += [Column(heading, "number") for heading in (ACCURACY.heading, "Runs")]
    return Grid("The most accurate method of each scenario", columns, rows)


def fronts_grid(frame: pd.DataFrame, table: pd.DataFrame, scenarios: Mapping[str, str]) -> Grid:
    """The Pareto front of accuracy and each cost, for each scenario and encoder."""
    rows = []
    done = with_comparable_seconds(frame[frame["status"] == "done"])
    rated = [row for row in table.to_dict("records") if row["competes"]]
    costs = costs_of(frame)
    fair = {(row["scenario"], row["encoder"], row["method"]) for row in rated}
    for (scenario, encoder), runs in done.groupby(PANEL, sort=True):
        mine = runs[[(scenario, encoder, method) in fair for method in runs["method"]]]
        cells = []
        for cost in costs:
            known = mine[mine[cost].notna()]
            ranked = RANKED[runs["task"].iloc[0]]
            means = known.groupby("name")[[cost, ranked.source]].mean()
            sign = 1 if ranked.better == "higher" else -1
            best = means[pareto_front(means[cost], sign * means[ranked.source])]
            names = [
                f"{method} ({_quality(accuracy, ranked)}, {_amount(value, cost)})"
                for method, value, accuracy in best.sort_values([cost, ranked.source]).itertuples(name=None)
            ]
            cells.append(Cell("" if names else "without a value", items=names))
        rows.append([Cell(str(scenario), href=scenarios[str(scenario)]), Cell(str(encoder)), *cells])
    columns = [Column(name) for name in ("Scenario", "Encoder", *costs.values())]
    return Grid("Methods that no other one beats in both accuracy and cost", columns, rows)


def _quality(value: float, measure: Measure) -> str:
    return in_unit(value, measure.unit) + (" %" if measure.unit == "share" else " bits per byte")


def _amount(value: float, cost: str) -> str:
    unit = _UNITS.get(cost, "amount")
    return in_unit(value, unit) + {"seconds": " s", "amount": " FLOPs"}.get(unit, "")
