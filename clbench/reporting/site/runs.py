"""What the page of one run shows, and what the comparison of two runs needs of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clbench.reporting.figures.keys import USE
from clbench.reporting.formatting import Unit
from clbench.reporting.site.command import command
from clbench.reporting.site.curve import Curve, curve
from clbench.reporting.site.grid import Cell, Column, Grid
from clbench.reporting.site.measures import of_run
from clbench.reporting.site.names import run_label
from clbench.reporting.site.values import flat, in_unit, number, short, text

SIDE = 200
"""The most experiences of the matrices of a page."""
_COST_UNITS: dict[str, Unit] = {
    "seconds": "seconds",
    "carried_bytes": "bytes",
    "peak_bytes": "bytes",
    "parameters": "count",
}


@dataclass(frozen=True)
class Matrix:
    """Shares by stage (rows) and experience (columns), NaN where there is none.

    Attributes:
        caption: Of the table.
        rows: What its rows are.
        columns: What its columns are.
        values: The shares.
        corner: What rows are named by.
    """

    caption: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    corner: str


def context(run: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """All that the template of a run's page takes, from a row of loaded results."""
    return {
        "run": run,
        "label": run_label(run),
        "metrics": [(each, in_unit(value, each.unit)) for each, value in of_run(run)],
        "costs": [(name, in_unit(value, unit)) for name, unit, value in costs(run)],
        "matrices": list(_matrices(run)),
        "curve": curve(run["stream_accuracy"]) if len(run["stream_accuracy"]) > 1 else None,
        "keys": list(_key_curves(run)),
        **_language(run),
        "experiences": records_grid("Experiences", run["experiences"]),
        "config": list(flat(run["config"])),
        "provenance": list(flat(run["provenance"])),
        "command": command(run["config"]),
        "tuned": [text(each) for each in run["config"].get("tuned") or ()],
        "file": _link(Path(run["path"]), out),
        **_diagnostics(run["diagnostics"]),
    }


def data(run: Mapping[str, Any]) -> dict[str, Any]:
    """What the comparison of two runs shows of one, as JSON."""
    measures = [[each.heading, each.unit, value, in_unit(value, each.unit)] for each, value in of_run(run)]
    spent = [[name, unit, value, in_unit(value, unit)] for name, unit, value in costs(run)]
    return {
        "scenario": run["scenario"],
        "title": run["title"],
        "encoder": run["encoder"],
        "label": run_label(run),
        "config": dict(flat(run["config"])),
        "experiences": _stage_names(run),
        **{key: [] if _large(run) else run[key] for key in ("accuracy", "macro_f1")},
        "metrics": measures,
        "costs": spent,
    }


def _key_curves(run: Mapping[str, Any]) -> Iterator[tuple[str, Curve]]:
    """How the keys of a bottleneck are used by each experience, where there are several."""
    for name, title in USE.items():
        values = run[f"key_use.{name}"]
        if len(values) > 1 and max(values) > 0:
            yield title, curve(values, _round_above(max(values)))


def _round_above(value: float) -> float:
    """The next number whose quarters are easy to read.

    Example:
        >>> _round_above(613.0), _round_above(4096), _round_above(0.3)
        (800.0, 8000.0, 0.4)
    """
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 4, 8, 10) if step * size >= value)


def costs(run: Mapping[str, Any]) -> Iterator[tuple[str, Unit, float]]:
    """The costs of a run with their names and units."""
    for column, value in run.items():
        if column.startswith("costs.") and not math.isnan(value):
            _, group, name = column.split(".", 2)
            unit = _COST_UNITS.get(group, "amount")
            yield f"{group.replace('_', ' ')}: {name.replace('_', ' ')}", unit, value


def records_grid(caption: str, records: Sequence[Mapping[str, Any]]) -> Grid | None:
    """A table of objects, a column for each key that any of them has a plain value of; None without any."""
    flattened = [dict(_plain(record)) for record in records]
    keys = list(dict.fromkeys(key for record in flattened for key in record if key != "name"))
    if not keys:
        return None
    columns = [Column("Experience"), *(Column(key.replace("_", " "), "number") for key in keys)]
    rows = [
        [
            Cell(str(record.get("name", place))),
            *(Cell(short(record.get(key)), number(record.get(key))) for key in keys),
        ]
        for place, record in enumerate(flattened, start=1)
    ]
    return Grid(caption, columns, rows)


def _plain(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _plain(value, f"{prefix}{key}: ")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def _matrices(run: Mapping[str, Any]) -> Iterator[Matrix]:
    names = _stage_names(run)
    for key, what in (("accuracy", "Accuracy"), ("macro_f1", "Macro-F1")):
        if not run[key] or _large(run):
            continue
        count = len(run[key])
        stages = [str(stage) for stage in range(1, count + 1)] if count > 1 else ["all at once"]
        rows, columns = [list(row) for row in run[key]], [*names]
        if key == "accuracy":  # the curve in numbers
            rows = [[*row, whole] for row, whole in zip(rows, run["stream_accuracy"], strict=True)]
            columns.append("all test texts")
        yield Matrix(f"{what} (%) on each experience after each stage", stages, columns, rows, "After stage")


def _language(run: Mapping[str, Any]) -> dict[str, Any]:
    """Bits per byte by stage and experience, and continuations; empty where classes are learned."""
    told = run["language"]
    if not told:
        return {"bits": None, "continuations": []}
    names = [str(name) for name in run["experience_names"]]
    count = len(told.get("untrained", ()))
    names = names if len(names) == count else [str(place) for place in range(1, count + 1)]
    columns = [Column("After stage"), *(Column(name, "number") for name in (*names, "all", "other text"))]
    stages = [("none", told.get("untrained", ())), *enumerate(told.get("bits_per_byte", ()), start=1)]
    ends = zip(run["stream_bits"], run["general_bits"], strict=False)
    rows = [
        [Cell(str(stage)), *(Cell(in_unit(value, "bits"), value) for value in (*row, *end))]
        for (stage, row), end in zip(stages, ends, strict=False)
    ]
    grid = Grid(
        "Bits per byte on each experience, on all test texts, and on text of no experience", columns, rows
    )
    return {"bits": grid, "continuations": told.get("continuations") or []}


def _large(run: Mapping[str, Any]) -> bool:
    """Whether its matrices are no tables to look at."""
    return max(map(len, run["accuracy"]), default=0) > SIDE


def _stage_names(run: Mapping[str, Any]) -> list[str]:
    """What columns of the matrix are called: the experiences, or numbers where they were trained as one."""
    numbers = range(1, max(map(len, run["accuracy"]), default=0) + 1)
    if len(run["accuracy"]) < 2 or len(run["experience_names"]) < len(numbers):
        return list(map(str, numbers))
    return [f"{number} {name}" for number, name in zip(numbers, run["experience_names"], strict=False)]


def _diagnostics(told: Mapping[str, Any]) -> dict[str, Any]:
    each = told.get("experiences")
    records = [one for one in each if isinstance(one, Mapping)] if isinstance(each, list) else []
    overlap = [row for one in records if isinstance(row := one.get("overlap"), list)]
    names = [str(one.get("name", place)) for place, one in enumerate(records, start=1)]
    matrix = None
    if 1 < len(records) <= SIDE and len(overlap) == len(records):
        caption = "Keys that two experiences share (Jaccard index, %)"
        rows = overlap[1:]  # the first has none before it
        matrix = Matrix(caption, names[1:], names[:-1], rows, "Experience")
    return {
        "diagnoses": records_grid("Diagnostics by experience", records),
        "overlap": matrix,
        "others": list(flat({key: value for key, value in told.items() if key != "experiences"})),
    }


def _link(path: Path, out: Path) -> str:
    """The address of the result file from the page of its run, where it is in the folder; else empty."""
    try:
        inside = path.resolve().relative_to(out.resolve())
    except ValueError:
        return ""
    return f"../{quote(inside.as_posix())}"
