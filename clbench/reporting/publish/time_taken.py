"""How long the runs and the searches of a folder of results took, by phase."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from clbench.core.result_paths import result_text, search_paths
from clbench.reporting.figures.phases import PHASES
from clbench.reporting.tables.render_markdown import aligned

_OWN = ("train", "validate", "consolidate", "evaluate")
"""The phases that each run does itself: its encoding and its keys may be the work of another run."""


def time_taken(frame: pd.DataFrame, folder: Path) -> str:
    """A table, as Markdown, of hours by phase, as if one process had done it all; empty if none are recorded.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        folder: Of the results: the searches below it count.
    """
    wall = frame["wall_seconds"].sum()
    if not wall:
        return ""
    rows = [
        (f"{PHASES[phase][0]}, {len(frame)} runs", frame[f"costs.seconds.{phase}"].sum()) for phase in _OWN
    ]
    rest = wall - sum(seconds for _, seconds in rows)
    rows.append(("encoding and keys, where no earlier run had made them, and loading", rest))
    searches = [_trials(path) for path in search_paths(folder)]
    if trials := [seconds for search in searches for seconds in search]:
        rows.append((f"{len(searches)} searches, {len(trials)} trials", sum(trials)))
    rows.append(("all", sum(seconds for _, seconds in rows)))
    return aligned([[name, f"{seconds / 3600:.2f}"] for name, seconds in rows], ["Phase", "Hours"], "pipe")


def _trials(path: Path) -> list[float]:
    """The seconds of each trial of a search; none where the file is none that this version reads."""
    try:
        return [float(each["seconds"]) for each in json.loads(result_text(path))["trials"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
