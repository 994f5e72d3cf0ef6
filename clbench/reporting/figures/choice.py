"""Which methods a figure for print shows: few enough to be told apart, and of every family."""

from __future__ import annotations

import pandas as pd

from clbench.reporting.figures.canvas import finished
from clbench.reporting.figures.styles import line_styles
from clbench.reporting.load import PANEL
from clbench.reporting.measures import RANKED

MOST = 8
"""Methods that lines and marks tell apart at the width of a column."""


def leading(frame: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The runs of at most so many methods: what a figure in the text of a paper shows.

    They are the best joint training, the best method of each family, and then the best of all others, another
    baseline before a second form of one that is shown. Best is who is the least behind the best method of a
    scenario and encoder, mean over those that it has finished runs in. A model per experience is left out.
    Where there are no more methods than that, all of them are kept.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        most: At least as many as there are families.
    """
    if frame["method"].nunique() <= most:
        return frame
    behind = _behind(frame).sort_values(kind="stable")
    single = set(frame.loc[frame["stream"] == "single", "method"])
    looks = line_styles(frame)
    ranked = [method for method in behind.index if method not in single]
    groups = {method: "joint" if looks[method].joint else looks[method].kind for method in ranked}
    first = {group: method for method, group in reversed(list(groups.items()))}
    chosen = list(first.values())[:most]
    shown = {_baseline(method) for method in chosen}
    others = [method for method in ranked if groups[method] != "joint" and method not in chosen]
    others.sort(key=lambda method: _baseline(method) in shown)
    chosen += others[: most - len(chosen)]
    return frame[frame["method"].isin(set(chosen))]


def rest(frame: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The runs of the methods that :func:`leading` leaves out: those of the appendix."""
    return frame[~frame["method"].isin(set(leading(frame, most)["method"]))]


def _baseline(method: str) -> str:
    return method.split("-")[0]


def _behind(frame: pd.DataFrame) -> pd.Series:
    """How far each method is behind the best, in the unit of the measure, mean over scenarios."""
    gaps = []
    for _, runs in finished(frame).groupby(PANEL):
        ranked = RANKED[runs["task"].iloc[0]]
        means = runs.groupby("method")[ranked.source].mean() * (1 if ranked.better == "higher" else -1)
        gaps.append(means.max() - means)
    every = sorted(set(frame["method"]))
    if not gaps:
        return pd.Series(0.0, index=every)
    mean: pd.Series = pd.concat(gaps, axis=1).mean(axis=1).reindex(every).fillna(float("inf"))
    return mean
