"""Bars of the seconds that each phase takes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from clbench.reporting.figures.canvas import GRAY, WIDTH, drawing, finished, groups, names_of
from clbench.reporting.figures.labels import scenario_title
from clbench.reporting.figures.styles import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION
from clbench.reporting.hardware import with_comparable_seconds

PHASES = {
    "encode": ("encoding", SKY, ""),
    "keys": ("key initialization", BLACK, ""),
    "train": ("training", VERMILION, ""),
    "validate": ("validation", ORANGE, "xxxx"),
    "consolidate": ("consolidation", BLUE, "////"),
    "evaluate": ("evaluation", GREEN, "...."),
}
"""For each phase its name in the legend, its color and its hatching; those without differ in lightness."""
_ROW = 0.19  # inches


def phase_seconds_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Seconds per phase: a stacked horizontal bar per method, the fastest first.

    Values are means over finished runs. The left column shows all phases, the right one leaves out the
    encoding of texts, which is the same for all methods on a frozen encoder, and hides what differs.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    blocks = groups(frame)
    heights = [_ROW * runs["method"].nunique() + 0.9 for runs in blocks]
    names = names_of(frame, whole)
    with drawing():
        figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
        parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights).ravel()
        for part, runs in zip(parts, blocks, strict=True):
            part.suptitle("\n".join(scenario_title(frame, runs, 90)), fontsize=9)
            every, rest = part.subplots(1, 2, sharey=True)
            seconds = mean_seconds(runs)
            seconds = seconds.loc[seconds.sum(axis=1, min_count=1).sort_values(kind="stable").index]
            _bars(every, seconds, list(PHASES))
            _bars(rest, seconds, [phase for phase in PHASES if phase != "encode"])
            done = set(finished(runs)["method"])
            ticks = [names[each] + " (not finished)" * (each not in done) for each in seconds.index]
            every.set_yticks(range(len(seconds)), ticks)
            every.set_ylim(len(seconds) - 0.4, -0.6)
            every.set_title("all phases")
            rest.set_title("without encoding")
            for axes in (every, rest):
                axes.set_xlabel("Seconds")
        handles = [
            Patch(label=name, facecolor=color, hatch=hatch, edgecolor="white")
            for name, color, hatch in PHASES.values()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(PHASES), frameon=False)
    return figure


def mean_seconds(runs: pd.DataFrame) -> pd.DataFrame:
    """The mean seconds per phase over the finished runs of each method, in the order of :data:`PHASES`.

    A row per method of ``runs``, by name; without a finished run, without a record, or with runs on several
    kinds of hardware it is NaN.
    """
    columns = {f"costs.seconds.{phase}": phase for phase in PHASES}
    timed = with_comparable_seconds(finished(runs))
    means = timed.groupby("method")[list(columns)].mean().rename(columns=columns)
    return means.reindex(sorted(set(runs["method"])))


def _bars(axes: Axes, seconds: pd.DataFrame, phases: list[str]) -> None:
    left = pd.Series(0.0, index=seconds.index)
    for phase in phases:
        name, color, hatch = PHASES[phase]
        width = seconds[phase].fillna(0.0)
        drawn = width.to_numpy() > 0  # a bar without width is as large in the file as any other
        axes.barh(
            np.flatnonzero(drawn),
            width[drawn],
            0.72,
            left=left[drawn],
            label=name,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.3,
        )
        left = left + width
    recorded = seconds[phases].notna().any(axis=1)
    for place, (total, known) in enumerate(zip(left, recorded, strict=True)):
        text = f" {readable_seconds(total)}" if known else " without a value"
        axes.text(total, place, text, va="center", fontsize=8, color=GRAY)
    axes.grid(visible=False, axis="y")
    if left.max() > 0:
        axes.set_xlim(0, left.max() * 1.22)  # room for the number behind the longest bar
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    else:
        axes.set_xlim(0, 1)
        axes.set_xticks([0])


def readable_seconds(value: float) -> str:
    """Seconds with about three digits.

    Example:
        >>> [readable_seconds(each) for each in (0.0312, 1.27, 199.4, 12345.6)]
        ['0.03', '1.3', '199', '12,346']
    """
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"
