"""Methods across scenarios: average accuracy in each, average rank, interquartile mean, improvement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clbench.reporting.formatting import Unit, count_text, plain
from clbench.reporting.measures import ACCURACY, CLASSES
from clbench.reporting.statistics.across import Estimate, interquartile_mean, probability_of_improvement
from clbench.reporting.statistics.ranking import (
    Scores,
    average_ranks,
    common_tasks,
    padded,
    scores_of,
    task_means,
)
from clbench.reporting.statistics.simultaneous import rank_test
from clbench.reporting.tables.cells import (
    NOTHING,
    Cell,
    Column,
    Row,
    Table,
    mean_text,
    measure_cell,
    shown_paths,
)
from clbench.reporting.tables.notes import footnotes, remarks, signs


def summary_tables(
    frame: pd.DataFrame, compared: pd.DataFrame, relative_to: Path | None = None
) -> list[Table]:
    """A table for each encoder that has several scenarios of classes: methods as rows, scenarios as columns.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        compared: What :func:`clbench.reporting.tables.comparison.comparison_table` makes of it.
        relative_to: The folder of the report.
    """
    frame, compared = (each[each["task"] == CLASSES] for each in (frame, compared))
    return [
        _summary(runs, compared[compared["encoder"] == encoder], str(encoder), relative_to)
        for encoder, runs in frame.groupby("encoder", sort=True)
        if runs["scenario"].nunique() > 1
    ]


def _summary(frame: pd.DataFrame, compared: pd.DataFrame, encoder: str, relative_to: Path | None) -> Table:
    scenarios = sorted(set(compared["scenario"]))
    scores, ranked = scores_of(frame), average_ranks(frame)
    tasks = common_tasks(scores, list(ranked.loc[ranked["n"] > 0, "method"]))
    top = str(ranked["method"].iloc[0]) if tasks else ""
    first = dict(zip(compared["method"], compared["name"], strict=True)).get(top, "")
    estimates = _estimates(scores, tasks, top)
    for place in ranked[ranked["n"] > 0].to_dict("records"):
        estimates[place["method"]]["rank"] = Estimate(place["mean"], place["low"], place["high"])
    records = {
        str(method): rows.set_index("scenario").to_dict("index")
        for method, rows in compared.groupby("method")
    }
    described = {method: _described(encoder, method, rows) for method, rows in records.items()}
    order = sorted(
        records,
        key=lambda method: (
            not described[method]["joint"],
            estimates.get(method, {}).get("rank", Estimate(math.inf, 0, 0)).value,
            method,
        ),
    )
    columns = [Column(name, plain(name)) for name in scenarios]
    columns += [
        Column("rank", "Average rank"),
        Column("iqm", "IQM (%)"),
        Column("improvement", f"P({plain(first)} better) (%)" if top else "P(best better) (%)"),
    ]
    best = any(row["average_accuracy_mark"] == "best" for row in compared.to_dict("records"))
    return Table(
        title=f"Across scenarios, encoder {plain(encoder)}",
        caption="Average accuracy (%) in each scenario.",
        counted="Scenarios",
        columns=tuple(columns),
        rows=tuple(
            _row(described[method], records[method], scenarios, tasks, estimates.get(method, {}), relative_to)
            for method in order
        ),
        best="the best mean of a scenario" if best else "",
        close="not significantly worse than it, by the test of the scenario's own table"
        if (compared["average_accuracy_mark"] == "close").any()
        else "",
        notes=(
            *footnotes([described[method] for method in order]),
            *_explained(scenarios, tasks, first),
            *_compared(frame),
        ),
    )


def _estimates(scores: Scores, tasks: Sequence[Any], top: str) -> dict[str, dict[str, Estimate]]:
    """The interquartile mean, and the probability that the first is better, where a method has all tasks."""
    found: dict[str, dict[str, Estimate]] = {}
    for method, runs in scores.items():
        if not tasks or not set(tasks) <= set(runs):
            continue
        # Generators of its own, so that a method's interval depends on no other row.
        table = padded(runs, tasks)
        found[method] = {"iqm": interquartile_mean(table, np.random.default_rng(0))}
        if method != top:
            best = padded(scores[top], tasks)
            found[method]["improvement"] = probability_of_improvement(best, table, np.random.default_rng(0))
    return found


def _described(encoder: str, method: str, rows: Mapping[Any, Mapping[Any, Any]]) -> dict[str, Any]:
    notes = sorted({note for row in rows.values() for note in row["notes"]})
    joint = any(row["stream"] == "joint" for row in rows.values())
    name = next(iter(rows.values()))["name"]
    return {"encoder": encoder, "method": method, "name": name, "notes": notes, "joint": joint}


def _row(
    described: Mapping[str, Any],
    rows: Mapping[Any, Mapping[Any, Any]],
    scenarios: Sequence[str],
    tasks: Sequence[Any],
    estimates: Mapping[str, Estimate],
    relative_to: Path | None,
) -> Row:
    files = {name: shown_paths(rows[name]["files"], relative_to) for name in scenarios}
    common = tuple(path for scenario, _ in tasks for path in files[scenario])
    done = [name for name in scenarios if rows[name]["n"]]
    units: dict[str, Unit] = {"rank": "ratio", "iqm": "share", "improvement": "share"}
    cells = [measure_cell(rows[name], ACCURACY, files[name]) for name in scenarios]
    cells += [_estimate(estimates.get(name), unit, common) for name, unit in units.items()]
    return Row(
        method=plain(described["name"]),
        signs=signs(described["notes"]),
        remarks=remarks(described["notes"]),
        status="done" if len(done) == len(scenarios) else "partial" if done else "missing",
        runs=count_text(len(done), len(scenarios)),
        cells=tuple(cells),
        files=tuple(path for paths in files.values() for path in paths),
        facts=(
            ("encoder", str(described["encoder"])),
            ("method", str(described["method"])),
            ("name", str(described["name"])),
            ("notes", ";".join(map(str, described["notes"]))),
            ("ranked_scenarios", ";".join(str(scenario) for scenario, _ in tasks)),
        ),
    )


def _estimate(found: Estimate | None, unit: Unit, files: tuple[str, ...]) -> Cell:
    if found is None:
        return Cell(NOTHING)
    text = mean_text(found.value, found.low, found.high, unit)
    return Cell(text, found.value, found.low, found.high, n=len(files), files=files)


def _compared(frame: pd.DataFrame) -> list[str]:
    """What tests of the ranks say, where there are enough methods and scenarios for one."""
    found = rank_test(task_means(frame).to_numpy())
    if math.isnan(found.distance):
        return []
    return [
        f"Friedman's test that the {found.methods} methods are equal over the {found.tasks} scenarios: "
        f"p = {found.p:.2g}. Average ranks less than {found.distance:.2f} apart (Nemenyi's critical "
        "difference at 5 %) do not differ significantly."
    ]


def _explained(scenarios: Sequence[str], tasks: Sequence[Any], top: str) -> list[str]:
    if not tasks:
        return ["No ranks: there is no scenario in which all methods that compete have finished runs."]
    named = ", ".join(plain(str(scenario)) for scenario, _ in tasks)
    part = "all scenarios"
    if len(tasks) < len(scenarios):
        part = f"the {len(tasks)} of {len(scenarios)} scenarios in which all methods compared have "
        part += f"finished runs ({named})"
    else:
        part += "; a method without finished runs in some of them has none"
    return [
        f"Average rank, IQM and P are over {part}. Rank 1 is the highest mean in a scenario; equals share "
        "their average.",
        "IQM: interquartile mean, the mean of the middle half of all runs. "
        f"P: the probability that a run of {plain(top)}, first by rank, is better than one of this method on "
        "the same scenario, equals half (both as in rliable).",
    ]
