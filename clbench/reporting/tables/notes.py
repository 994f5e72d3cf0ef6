"""Marks of methods, and the lines under a table: footnotes, unfinished runs, provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from clbench.core.notes import Note, NoteKind
from clbench.core.result_fields import WORDING
from clbench.reporting.formatting import plain
from clbench.reporting.hardware import hardware
from clbench.reporting.measures import ACCURACY
from clbench.reporting.names import enumerated

MARKS: dict[NoteKind, str] = {"sees-future": "†", "deviation": "‡", "upper-bound": "↑", "task-id-oracle": "§"}
"""The mark of each kind of note that has one."""
MEANINGS: dict[NoteKind, str] = {
    "sees-future": "reads data of experiences that are yet to come.",
    "upper-bound": "joint training on all experiences at once.",
    "task-id-oracle": "is told which experience a test text belongs to.",
}
"""What a note says by its kind alone."""
_NAMED = 5
"""Methods that a line names."""
_SHORT = 12
"""Digits of a fingerprint or a commit that are shown."""
_VARIES = {"order", "seed", "columns", *WORDING}  # within one mean; columns go with the order


def signs(notes: Iterable[Note]) -> str:
    """The marks of a method.

    Example:
        >>> signs([Note("deviation", "300 texts per class"), Note("sees-future")])
        '†‡'
    """
    kinds = {note.kind for note in notes}
    return "".join(mark for kind, mark in MARKS.items() if kind in kinds)


def remarks(notes: Iterable[Note]) -> tuple[str, ...]:
    """The notes that have no mark of their own, to be written out."""
    return tuple(plain(note.text) for note in sorted(notes) if note.kind not in MARKS)


def footnotes(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What the marks of the rows of a comparison mean; each deviation from a paper once."""
    used = {note.kind for row in rows for note in row["notes"]}
    lines = {kind: [f"{MARKS[kind]} {meaning}"] for kind, meaning in MEANINGS.items()}
    lines["deviation"] = deviations(rows)
    return [line for kind in MARKS if kind in used for line in lines[kind]]


def deviations(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """How methods deviate from their papers: a line for the methods that share some ways, unless all do."""
    deviating: dict[str, list[str]] = {}
    for row in rows:
        for note in row["notes"]:
            if note.kind == "deviation":
                deviating.setdefault(plain(note.text), []).append(plain(row["name"]))
    shared: dict[tuple[str, ...], list[str]] = {}
    for text, methods in sorted(deviating.items()):
        shared.setdefault(tuple(methods), []).append(text.rstrip("."))
    return [
        f"{MARKS['deviation']} differs from the paper"
        + (f": {'; '.join(filter(None, texts))}" if any(texts) else "")
        + ("." if len(methods) == len(rows) else f" ({enumerated(methods)}).")
        for methods, texts in shared.items()
    ]


def beaten(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """One line where methods are above the best joint training, which then bounds nothing."""
    name = ACCURACY.name
    scores = [row[name] for row in rows if row["stream"] == "joint" and not math.isnan(row[name])]
    above = [row["name"] for row in rows if row["competes"] and scores and row[name] > max(scores)]
    return [f"Joint training is no upper bound here; above it: {_listed(above)}."] if above else []


def at_chance(panel: pd.DataFrame) -> list[str]:
    """One line for methods none of whose finished runs is better than guessing."""
    done = panel[panel["status"] == "done"]
    guessing = done.groupby("name")["at_chance"].all()
    found = [str(method) for method in guessing.index[guessing]]
    return [f"At chance, no better than always answering one class: {_listed(found)}."] if found else []


def _listed(methods: Sequence[str]) -> str:
    named = [plain(str(method)) for method in methods[:_NAMED]]
    more = [f"{len(methods) - _NAMED} more"] if len(methods) > _NAMED else []
    return enumerated([*named, *more])


def unfinished(panel: pd.DataFrame) -> list[str]:
    """One line for each run that is not in the means."""
    return [
        plain(
            f"{run['name']}, order {run['order']}, seed {run['seed']}: {run['status']}"
            + (f": {run['error']}" if run["error"] else "")
        )
        for run in panel[panel["status"] != "done"].to_dict("records")
    ]


def mixed(panel: pd.DataFrame) -> list[str]:
    """One line for each setting, and each fingerprint, in which the finished runs behind one mean differ."""
    lines = []
    for method, runs in panel[panel["status"] == "done"].groupby("name", sort=True):
        configs = [_settings(config) for config in runs["config"]]
        absent = dict.fromkeys({key for config in configs for key in config})
        prints = [_fingerprints(source) for source in runs["provenance"]]  # older files lack some
        found = _differing([{**absent, **config} for config in configs]) | _differing(prints)
        for key, values in sorted(found.items()):
            text = f"{method}: the mean is over runs that differ in {key} ({'; '.join(sorted(values))})"
            lines.append(plain(text))
    return lines


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run, each argument on its own: files older than an argument lack it."""
    arguments = config.get("arguments") or {}
    own = {key: config[key] for key in config.keys() - _VARIES - {"arguments"}}
    return own | {f"the argument {name}": value for name, value in arguments.items()}


def timed_on(panel: pd.DataFrame) -> list[str]:
    """Which rows were timed on which hardware, where it differs: between rows, or between runs of one."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for method, runs in panel[panel["status"] == "done"].groupby("name", sort=True):
        kinds = tuple(sorted(set(runs["provenance"].map(hardware)) - {""}))
        rows.setdefault(kinds, []).append(plain(str(method)))
    alike = sorted(
        ((kinds[0], methods) for kinds, methods in rows.items() if len(kinds) == 1),
        key=lambda each: len(each[1]),
    )
    mixed = [(kinds, methods) for kinds, methods in rows.items() if len(kinds) > 1]
    lines = []
    if len(alike) > 1:
        *fewer, (most, _) = alike
        told = [f"{kind} ({enumerated(methods)})" for kind, methods in fewer]
        where = "; ".join([*told, f"{most} (all others)"])
        lines.append(f"Seconds of rows on different hardware do not compare: {where}.")
    if mixed:
        told = [f"{' and '.join(kinds)} ({enumerated(methods)})" for kinds, methods in mixed]
        lines.append(f"No seconds where runs are on different hardware: {'; '.join(told)}.")
    return lines


def _differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The values of each key that has several."""
    found: dict[str, set[str]] = {}
    for each in settings:
        for key, value in each.items():
            found.setdefault(key, set()).add(_flat(value))
    return {key: values for key, values in found.items() if len(values) > 1}


def _fingerprints(source: Mapping[str, Any]) -> dict[str, str]:
    """What a run was made with, in as many digits as tell it apart.

    The texts are those of whole datasets: an order of classes makes other experiences of the same ones.
    """
    prints, datasets = source.get("fingerprints") or {}, source.get("datasets") or {}
    found = {
        f"the fingerprint of the data {name}": facts.get("fingerprint") for name, facts in datasets.items()
    }
    found |= {f"the fingerprint of the {name}": prints.get(name) for name in ("encoder", "data")}
    if datasets:
        del found["the fingerprint of the data"]
    return {name: value[:_SHORT] for name, value in found.items() if value is not None}


def provenance(frame: pd.DataFrame) -> str:
    """Where the numbers come from, in one line; several values where the runs differ."""
    found = " · ".join(f"{key} {value}" for key, value in sources(frame).items())
    return f"Made from {len(frame)} result files: {found}."


def sources(frame: pd.DataFrame) -> dict[str, str]:
    """Commit, machine, versions and date of some results; several values where the runs differ."""
    found = {}
    for key in ("commit", "machine", "versions", "date"):
        values = sorted({_flat(one[key]) for one in frame["provenance"] if one.get(key)})
        if key == "commit":
            values = sorted({_abbreviated(each) for each in values})
        if key == "date" and len(values) > 1:
            values = [f"{values[0]} to {values[-1]}"]
        found[key] = plain("; ".join(values)) or "not recorded"
    return found


def _abbreviated(commit: str) -> str:
    """A commit in as many digits as tell it apart, with the mark of a changed source tree.

    Example:
        >>> _abbreviated("8723aaa91b33c0d52f7d9d2a90b1c9f4c3d4e5f6-dirty")
        '8723aaa91b33-dirty'
    """
    name, mark, changed = commit.partition("-")
    return name[:_SHORT] + mark + changed


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(one)}" for key, one in sorted(value.items()))
    return str(value)
