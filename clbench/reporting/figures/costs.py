"""Accuracy against seconds, FLOPs and bytes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from clbench.reporting.figures.canvas import (
    GRAY,
    drawing,
    finished,
    legend,
    looks_of,
    names_of,
    note,
    rows_of_panels,
    say,
    vacant,
)
from clbench.reporting.figures.labels import log_ticks, readable
from clbench.reporting.figures.pareto import pareto_front
from clbench.reporting.hardware import with_comparable_seconds
from clbench.reporting.names import common_tuning
from clbench.reporting.statistics.intervals import LEAST_RUNS, hierarchical_interval

COSTS = {
    "costs.seconds.total": "Total time (s)",
    "costs.flops.algorithm": "FLOPs of the algorithm",
    "costs.carried_bytes.total": "Carried (bytes)",
}
"""The columns of loaded results that are drawn against accuracy, and how their axes are called."""
AFTER_ENCODING = "costs.seconds.after_encoding"
_HEIGHT = 2.6  # inches
FRONT: dict[str, Any] = {
    "color": GRAY,
    "linewidth": 0.9,
    "linestyle": (0, (4, 2)),
    "drawstyle": "steps-post",
    "zorder": 1.7,
}
"""How the Pareto front is drawn."""


def costs_of(frame: pd.DataFrame) -> dict[str, str]:
    """The costs that tell the methods of some results apart: :data:`COSTS`, or the same without encoding.

    Encoding takes as long for most methods on a frozen encoder, and hides what differs between them. Where
    encoders train it is a part of training, so that times without it do not compare.
    """
    timed = frame[frame["costs.seconds.total"].notna()]
    if common_tuning(frame) not in ("frozen", "") or timed[AFTER_ENCODING].isna().all():
        return COSTS
    untimed = {cost: name for cost, name in COSTS.items() if cost != "costs.seconds.total"}
    return {AFTER_ENCODING: "Time without encoding (s)", **untimed}


def accuracy_cost_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Average accuracy against seconds, FLOPs and bytes carried: a point per method, and the Pareto front.

    Seconds are without encoding where all encoders are frozen (:func:`costs_of`). Points are means over
    finished runs, and bars their 95 % intervals where there are several. The front joins the methods that no
    other beats in both; joint training, and methods that are told the experience where others are not, are
    drawn, but have no part in it. Methods whose runs do not record a cost, or whose seconds are of several
    kinds of hardware, are named over its panel.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    return cost_figure(frame, whole, "metrics.average_accuracy", "Average accuracy (%)")


def cost_figure(
    frame: pd.DataFrame,
    whole: pd.DataFrame | None,
    column: str,
    label: str,
    *,
    scale: float = 100,
    better: Literal["higher", "lower"] = "higher",
) -> Figure:
    """The same for any column of loaded results, times ``scale``; ``label`` names the vertical axis."""
    whole = frame if whole is None else whole
    frame, whole = with_comparable_seconds(frame), with_comparable_seconds(whole)
    costs = costs_of(whole)
    with drawing():
        figure, rows = rows_of_panels(frame, whole, _HEIGHT, len(costs), sharey=True)
        for runs, row in rows:
            for axes, (cost, name) in zip(row, costs.items(), strict=True):
                done = finished(runs)
                _panel(axes, whole, done.assign(value=scale * done[column]), cost, better)
                axes.set_xlabel(name)
            row[0].set_ylabel(label)
        front = Line2D([], [], label="Pareto front", **FRONT | {"drawstyle": "default"})
        legend(figure, frame, whole, points=True, more=[front])
    return figure


def _panel(
    axes: Axes, whole: pd.DataFrame, done: pd.DataFrame, cost: str, better: Literal["higher", "lower"]
) -> None:
    """One scenario and one cost; what is drawn is the column ``value``."""
    axes.margins(y=0.1)
    if done.empty:
        vacant(axes, "no finished run")
        return
    known = done[done[cost].notna()]
    if known.empty:
        say(axes, "no run records it")
        axes.set_xticks([])
        return
    lacking = [method for method in looks_of(done, whole) if method not in set(known["method"])]
    if lacking:
        note(axes, "without a value", [names_of(done, whole)[method] for method in lacking], 32)
    points = []
    for method, look in looks_of(known, whole).items():
        runs = known[known["method"] == method]
        values = np.stack([runs[cost], runs["value"]], axis=1)
        x, y = values.mean(axis=0)
        spread: dict[str, Any] = {}
        if len(runs) >= LEAST_RUNS:
            found = hierarchical_interval(values, list(runs["order"]), np.random.default_rng(0))
            # The interval of equal values may be off by a rounding error.
            reach = np.maximum(0, [found.mean - found.low, found.high - found.mean])  # (2, x and y)
            spread = {"xerr": reach[:, :1], "yerr": reach[:, 1:]}
        marks = look.line() | {"linestyle": "none"}
        axes.errorbar([x], [y], label=method, elinewidth=0.7, **spread, **marks)
        points.append((x, y, bool(runs["competes"].all())))
    draw_front(
        axes, pd.DataFrame(points, columns=["cost", "value", "competes"]), 1 if better == "higher" else -1
    )
    cost_axis(axes, known.groupby("method")[cost].mean())


def draw_front(axes: Axes, points: pd.DataFrame, sign: int) -> None:
    """The line through the methods on the Pareto front, among those that compete.

    Args:
        axes: Where to draw.
        points: A row per method, with ``cost``, ``value`` and ``competes``.
        sign: 1 where higher values are better, -1 where lower ones are.
    """
    points = points[points["competes"].astype(bool)]
    best = points[pareto_front(points["cost"], sign * points["value"])].sort_values(["cost", "value"])
    axes.plot(best["cost"], best["value"], label="Pareto front", **FRONT)


def cost_axis(axes: Axes, costs: pd.Series) -> None:
    """A logarithmic axis with at least one number, however narrow the range; with a zero, if there is one."""
    low, high = costs[costs > 0].min(), costs.max()
    if not high > 0:
        axes.set_xticks([0])
        return
    if (costs == 0).any():
        decades = float(np.log10(high / low))
        axes.set_xscale("symlog", linthresh=low, linscale=max(0.2, 0.25 * decades))
        axes.set_xlim(-low / 3, high * 2)
        axes.set_xticks([0, *log_ticks(low, high * 2)])
    else:
        margin = max(1.15, (high / low) ** 0.1)
        axes.set_xscale("log")
        axes.set_xlim(low / margin, high * margin)
        axes.set_xticks(log_ticks(low / margin, high * margin))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(readable))
