"""Figures of the keys that a bottleneck selects in each experience."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from clbench.reporting.figures.canvas import (
    blank_figure,
    drawing,
    finished,
    legend,
    looks_of,
    rows_of_panels,
    vacant,
)
from clbench.reporting.figures.curves import line, spread_out, stacked, stage_axis
from clbench.reporting.figures.labels import readable
from clbench.reporting.figures.matrices import heat_maps

USE = {
    "keys_in_use": "Keys in use",
    "dead_keys": "Keys never used so far",
    "perplexity": "Perplexity per head",
}
"""What is drawn of the use of keys, and the titles of the panels."""
_HEIGHT = 2.3  # inches
_NOTHING = "no run tells how it uses keys"


def with_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of the methods of which a run tells how it uses its keys."""
    telling = frame.loc[frame["key_use.overlap"].map(len) > 0, "method"]
    return frame[frame["method"].isin(set(telling))]


def key_use_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """The use of keys, of all heads, by the training texts of each experience: a line per method.

    Keys that an experience selects; keys that no experience so far has selected; and the perplexity of their
    use, a mean over heads, which is the number of keys of a head if all are used equally often. Lines are
    means over finished runs, and bands their 95 % interval where there are several. Methods without keys are
    left out.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    frame, whole = with_keys(frame), frame if whole is None else whole
    if frame.empty:
        return blank_figure(_NOTHING)
    with drawing():
        figure, rows = rows_of_panels(frame, whole, _HEIGHT, len(USE))
        for runs, row in rows:
            for axes, (name, title) in zip(row, USE.items(), strict=True):
                axes.set_title(title)
                axes.set_xlabel("Experience")
                _use_panel(axes, whole, finished(runs), f"key_use.{name}")
        legend(figure, frame, whole)
    return figure


def key_overlap_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """How many keys each two experiences share: a heat map of Jaccard indices per method.

    The Jaccard index is the number of keys that the training texts of both experiences select, over the
    number that those of either do, in %. Values are means over finished runs; methods without keys are left
    out.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    frame, whole = with_keys(frame), frame if whole is None else whole
    if frame.empty:
        return blank_figure(_NOTHING)
    return heat_maps(
        frame,
        whole,
        "key_use.overlap",
        ("Earlier experience", "Experience"),
        "Keys in common (%)",
        "no earlier experience",
    )


def _use_panel(axes: Axes, whole: pd.DataFrame, done: pd.DataFrame, column: str) -> None:
    if done.empty:
        vacant(axes, "no finished run")
        return
    stages = int(done[column].map(len).max())
    for place, (method, look) in enumerate(looks_of(done, whole).items()):
        runs = done[done["method"] == method]
        line(axes, spread_out(stacked(runs[column]), stages), list(runs["order"]), look, place)
    stage_axis(axes, max(1, stages))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(readable))
