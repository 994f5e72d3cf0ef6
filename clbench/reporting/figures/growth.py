"""Figures against the number of experiences."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from clbench.reporting.figures.canvas import (
    WIDTH,
    blank_figure,
    drawing,
    legend,
    legend_height,
    looks_of,
    names_of,
)
from clbench.reporting.figures.labels import log_ticks, readable
from clbench.reporting.statistics.growth import by_length

MEASURED = {
    "accuracy_last": ("Average accuracy (%)", 100.0),
    "forgetting": ("Forgetting (%)", 100.0),
    "seconds_per_experience": ("Learning (s per experience)", 1.0),
    "carried": ("Carried (bytes)", 1.0),
}
"""What is drawn against the number of experiences, how its axis is called, and its factor."""
_HEIGHT = 2.4  # inches


def growth_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Accuracy, forgetting, seconds and bytes against the number of experiences: a line per method.

    The texts are the same at each length. Seconds are those of keys, training, validation and consolidation,
    divided by the number of experiences. Points are means over finished runs.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    whole = frame if whole is None else whole
    made = by_length(frame)
    if made.empty:
        with drawing():
            return blank_figure("no stream is there in three lengths")
    made = made.assign(seconds_per_experience=made["seconds_learning"] / made["length"])
    streams = list(made.groupby(["stream_name", "encoder"], sort=True))
    with drawing():
        size = 2 * _HEIGHT * len(streams) + legend_height(names_of(made, whole).values(), WIDTH)
        figure = Figure(figsize=(WIDTH, size), layout="constrained")
        parts = figure.subfigures(len(streams), 1, squeeze=False).ravel()
        for part, ((stream, encoder), runs) in zip(parts, streams, strict=True):
            part.suptitle(f"{stream}, {encoder}", fontsize=9)
            grid = part.subplots(2, 2).ravel()
            for axes, (column, (label, factor)) in zip(grid, MEASURED.items(), strict=True):
                _panel(axes, runs.assign(value=factor * runs[column]), whole)
                axes.set_ylabel(label)
                if factor == 1 and (runs[column].dropna() > 0).all():
                    axes.set_yscale("log")
            for axes in grid[2:]:
                axes.set_xlabel("Experiences")
        legend(figure, made, whole)
    return figure


def _panel(axes: Axes, runs: pd.DataFrame, whole: pd.DataFrame) -> None:
    for method, look in looks_of(runs, whole).items():
        means = runs[runs["method"] == method].groupby("length")["value"].mean()
        axes.plot(means.index, means, **look.line())
    low, high = runs["length"].min(), runs["length"].max()
    axes.set_xscale("log")
    axes.set_xlim(low / 1.1, high * 1.1)
    axes.set_xticks(log_ticks(low / 1.1, high * 1.1))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(readable))
