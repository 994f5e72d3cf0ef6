"""The comparison as Markdown, CSV and plain text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from tabulate import tabulate

from clbench.reporting.tables import MEASURES, PANEL, Measure, comparison_table

NOTHING = "\N{EN DASH}"
FUTURE, JOINT, TOLD = "†", "‡", "§"
FOOTNOTES = {
    FUTURE: "uses data that a stream has not shown yet.",
    JOINT: "upper bound: trained on all experiences at once, so nothing compares its stages.",
    TOLD: "is told which experience a test text belongs to.",
}
TERMINAL = ("average_accuracy", "stream_accuracy", "forgetting", "seconds_total")
"""The columns of the summary that a command prints."""
_VARIES = {"order", "seed", "columns"}  # of the configuration, within one mean; columns go with the order
_MARKS = {"future": FUTURE, "upper-bound": JOINT, "told": TOLD}


def csv(frame: pd.DataFrame) -> str:
    """The comparison of ``frame`` (loaded results) without any rounding, one row per scenario and method."""
    table = comparison_table(frame)
    return str(table.assign(notes=table["notes"].map(";".join)).to_csv(index=False, lineterminator="\n"))


def markdown(frame: pd.DataFrame) -> str:
    """The comparison of ``frame`` (loaded results) for readers: one section per scenario and encoder."""
    table = comparison_table(frame)
    parts, columns = ["# Comparison\n"], []
    for keys, rows in table.groupby(PANEL, sort=True):
        scenario, encoder = (escaped(str(key)) for key in keys)
        parts.append(f"## {escaped(rows['title'].iloc[0])}\n")
        parts.append(f"Scenario {scenario}, encoder {encoder}.\n")
        parts.append(_markdown_table(rows) + "\n")
        columns.append(_shown(rows))
        panel = frame[(frame[PANEL] == list(keys)).all(axis=1)]
        lines = [*_footnotes(rows), *map(escaped, [*_unfinished(panel), *_mixed(panel), *_missing(rows)])]
        if lines:
            parts.append("".join(f"- {line}\n" for line in lines))
    parts.append("## How to read the tables\n")
    used = [each for each in MEASURES if any(each in shown for shown in columns)]
    parts.append(
        "R[t, i] is the accuracy on experience i after training stage t, and T the last. "
        "Values are means over the n finished runs (seeds and orders), with ± the standard deviation "
        "between them where n > 1. Joint upper bounds come first, then methods by average accuracy.\n"
    )
    parts.append("".join(f"- {measure.heading}: {measure.definition}\n" for measure in used))
    parts.append(f"{_provenance(frame)}\n")
    return "\n".join(parts)


def text_table(frame: pd.DataFrame) -> str:
    """A short summary of ``frame`` (loaded results) for the terminal, without a final line break."""
    shown = [m for m in MEASURES if m.name in TERMINAL]
    parts = []
    for keys, rows in comparison_table(frame).groupby(PANEL, sort=True):
        body = [
            [plain(_marked(row)), _runs(row), *_cells(row, shown)]
            for row in rows[rows["runs"] > 0].to_dict("records")
        ]
        heading = " / ".join(plain(str(key)) for key in keys)
        table = _tabulate(body, ["Method", "n", *(measure.heading for measure in shown)], "simple")
        parts.append("\n".join([heading, table, *_footnotes(rows), *map(plain, _missing(rows))]))
    return "\n\n".join(parts)


def plain(text: str) -> str:
    r"""``text`` on one line, without characters that steer a terminal or turn the direction of writing.

    Example:
        >>> plain("a\n b\x1b[31m")
        'a b�[31m'
    """
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))


def escaped(text: str) -> str:
    r"""``text`` from outside as Markdown that shows it and does nothing else, in a table cell too.

    Example:
        >>> escaped("<b>`x`|y_z")
        '&lt;b&gt;\\`x\\`\\|y\\_z'
    """
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", text)


def percent(value: float) -> str:
    """A share as % with one decimal, without the sign of a zero."""
    return f"{round(100 * value, 1) + 0.0:.1f}"


def readable_bytes(value: float) -> str:
    """A number of bytes in the largest binary unit of which it has at least one.

    Example:
        >>> [readable_bytes(n) for n in (0, 1023, 1536, 3 * 2**20)]
        ['0 B', '1023 B', '1.5 KiB', '3.0 MiB']
    """
    if value < 1024:
        return f"{value:.0f} B"
    for unit in ("KiB", "MiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} GiB"


def _markdown_table(rows: pd.DataFrame) -> str:
    shown = _shown(rows)
    body = [
        [escaped(_marked(row)), _runs(row), *_cells(row, shown)]
        for row in rows[rows["runs"] > 0].to_dict("records")
    ]
    return _tabulate(body, ["Method", "n", *(measure.heading for measure in shown)], "pipe")


def _shown(rows: pd.DataFrame) -> list[Measure]:
    """The columns of a rendered table."""
    return [
        each
        for each in MEASURES
        if each.definition and not (each.optional and (rows[each.name].fillna(0) == 0).all())
    ]


def _tabulate(body: list[list[str]], headers: list[str], style: str) -> str:
    alignment = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(body, headers, tablefmt=style, colalign=alignment, disable_numparse=True)


def _marked(row: Mapping[Any, Any]) -> str:
    """The method with its marks; a note that has no mark of its own is written out."""
    notes = set(row["notes"]) | ({"upper-bound"} if row["joint"] else set())
    marks = "".join(mark for note, mark in _MARKS.items() if note in notes)
    others = sorted(notes - set(_MARKS))
    return f"{row['method']}{marks and ' '}{marks}" + (f" ({', '.join(others)})" if others else "")


def _runs(row: Mapping[Any, Any]) -> str:
    return str(row["n"]) if row["n"] == row["runs"] else f"{row['n']} of {row['runs']}"


def _cells(row: Mapping[Any, Any], measures: Iterable[Measure]) -> list[str]:
    cells = [_cell(row, measure) for measure in measures]
    return cells if row["n"] else [row["status"], *cells[1:]]


def _cell(row: Mapping[Any, Any], measure: Measure) -> str:
    mean, deviation = row[measure.name], row[f"{measure.name}_sd"]
    if math.isnan(mean):
        return NOTHING
    if measure.unit == "bytes":
        return readable_bytes(mean)
    number = {"share": percent, "count": "{:.0f}".format, "ratio": "{:.2f}".format}.get(
        measure.unit, "{:.1f}".format
    )
    return number(mean) if math.isnan(deviation) else f"{number(mean)} ± {number(deviation)}"


def _footnotes(rows: pd.DataFrame) -> list[str]:
    text = "".join(_marked({**row, "method": ""}) for row in rows[rows["runs"] > 0].to_dict("records"))
    return [f"{mark} {meaning}" for mark, meaning in FOOTNOTES.items() if mark in text]


def _unfinished(panel: pd.DataFrame) -> list[str]:
    """One line for each run that is not in the means."""
    return [
        f"{run['method']}, order {run['order']}, seed {run['seed']}: {run['status']}"
        + (f": {run['error']}" if run["error"] else "")
        for run in panel[panel["status"] != "done"].to_dict("records")
    ]


def _mixed(panel: pd.DataFrame) -> list[str]:
    """One line for each setting in which the finished runs behind one mean differ."""
    lines = []
    for method, runs in panel[panel["status"] == "done"].groupby("method", sort=True):
        keys = sorted({key for config in runs["config"] for key in config} - _VARIES)
        for key in keys:
            values = sorted({_flat(config.get(key)) for config in runs["config"]})
            if len(values) > 1:
                lines.append(f"{method}: the mean is over runs that differ in {key} ({'; '.join(values)})")
    return lines


def _missing(rows: pd.DataFrame) -> list[str]:
    """One line that names the methods without any run here, if there are such."""
    missing = list(rows.loc[rows["runs"] == 0, "method"])
    return [f"No run of: {', '.join(missing)}."] if missing else []


def _provenance(frame: pd.DataFrame) -> str:
    """Where the numbers come from, in one line; several values where the runs differ."""
    found = []
    for key in ("commit", "machine", "versions", "date"):
        values = sorted({_flat(one[key]) for one in frame["provenance"] if one.get(key)})
        if key == "date" and len(values) > 1:
            values = [f"{values[0]} to {values[-1]}"]
        found.append(f"{key} {'; '.join(map(escaped, values)) or 'not recorded'}")
    return f"Made from {len(frame)} result files: {' · '.join(found)}."


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(one)}" for key, one in sorted(value.items()))
    return str(value)
