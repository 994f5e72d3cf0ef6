"""What stands beside a method and under a table: marks, footnotes, runs that are not in the means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from clbench.reporting.formatting import plain

FUTURE, DIFFERS, JOINT, TASK_ID = "†", "‡", "↑", "§"
MARKS = {"future": FUTURE, "differs": DIFFERS, "upper-bound": JOINT, "task-id-oracle": TASK_ID}
"""The mark of each kind of note."""
MEANINGS = {
    "future": "uses data that a stream has not shown yet.",
    "upper-bound": "is trained on all experiences at once: an upper bound, whose stages nothing compares.",
    "task-id-oracle": "is told which experience a test text belongs to.",
}
"""What is to be known of a method before it is compared with others, by the kind of its note."""
_VARIES = {"order", "seed", "columns"}  # of the configuration, within one mean; columns go with the order


def signs(notes: Iterable[str], joint: bool) -> str:
    """The marks of a method.

    Example:
        >>> signs(["future", "differs: 300 texts per class"], joint=False)
        '†‡'
    """
    kinds = {_kind(note) for note in notes} | ({"upper-bound"} if joint else set())
    return "".join(mark for kind, mark in MARKS.items() if kind in kinds)


def remarks(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes that have no mark of their own, to be written out."""
    return tuple(plain(note) for note in sorted(notes) if _kind(note) not in MARKS)


def footnotes(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What the marks of the rows of a comparison mean; each way to differ from the paper once."""
    used = "".join(signs(row["notes"], row["joint"]) for row in rows)
    lines = {MARKS[kind]: [f"{MARKS[kind]} {meaning}"] for kind, meaning in MEANINGS.items()}
    lines[DIFFERS] = _differences(rows)
    return [line for mark in MARKS.values() if mark in used for line in lines[mark]]


def _kind(note: str) -> str:
    """``differs: 300 training texts per class`` is of the kind ``differs``."""
    return "differs" if note.startswith("differs") else note


def _differences(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    differing: dict[str, list[str]] = {}
    for row in rows:
        for note in row["notes"]:
            if _kind(note) == "differs":
                text = plain(note.removeprefix("differs").lstrip(": "))
                differing.setdefault(text, []).append(plain(row["method"]))
    return [
        f"{DIFFERS} differs from the paper{': ' if text else ''}{text.rstrip('.')}"
        + ("." if len(methods) == len(rows) else f" ({', '.join(methods)}).")
        for text, methods in sorted(differing.items())
    ]


def unfinished(panel: pd.DataFrame) -> list[str]:
    """One line for each run that is not in the means."""
    return [
        plain(
            f"{run['method']}, order {run['order']}, seed {run['seed']}: {run['status']}"
            + (f": {run['error']}" if run["error"] else "")
        )
        for run in panel[panel["status"] != "done"].to_dict("records")
    ]


def mixed(panel: pd.DataFrame) -> list[str]:
    """One line for each setting in which the finished runs behind one mean differ."""
    lines = []
    for method, runs in panel[panel["status"] == "done"].groupby("method", sort=True):
        keys = sorted({key for config in runs["config"] for key in config} - _VARIES)
        for key in keys:
            values = sorted({_flat(config.get(key)) for config in runs["config"]})
            if len(values) > 1:
                text = f"{method}: the mean is over runs that differ in {key} ({'; '.join(values)})"
                lines.append(plain(text))
    return lines


def provenance(frame: pd.DataFrame) -> str:
    """Where the numbers come from, in one line; several values where the runs differ."""
    found = " · ".join(f"{key} {value}" for key, value in sources(frame).items())
    return f"Made from {len(frame)} result files: {found}."


def sources(frame: pd.DataFrame) -> dict[str, str]:
    """Commit, machine, versions and date of some results; several values where the runs differ."""
    found = {}
    for key in ("commit", "machine", "versions", "date"):
        values = sorted({_flat(one[key]) for one in frame["provenance"] if one.get(key)})
        if key == "date" and len(values) > 1:
            values = [f"{values[0]} to {values[-1]}"]
        found[key] = plain("; ".join(values)) or "not recorded"
    return found


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(one)}" for key, one in sorted(value.items()))
    return str(value)
