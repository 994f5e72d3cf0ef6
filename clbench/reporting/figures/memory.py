"""Accuracy against bytes carried, for all sizes of each memory."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clbench.reporting.figures.canvas import (
    blank_figure,
    drawing,
    finished,
    legend,
    looks_of,
    rows_of_panels,
)
from clbench.reporting.figures.costs import FRONT, cost_axis, draw_front
from clbench.reporting.figures.labels import drawable
from clbench.reporting.figures.pareto import pareto_front
from clbench.reporting.formatting import readable_bytes
from clbench.reporting.load import PANEL, classified
from clbench.reporting.names import display_names, enumerated

LEAST = 3
"""So many sizes of one memory make a comparison."""
CARRIED = "costs.carried_bytes.total"
_REACH = 30.0
"""Points below the best that a panel shows: what is further down would press the others together."""
_HEIGHT = 2.8  # inches
_LETTERS = 58  # of a line beside a panel


def memory_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Average accuracy against bytes carried: a point per method, and the Pareto front.

    Methods of one baseline look the same. The points on the front are numbered and named beside the panel.
    Methods more than 30 points behind the best are below the axis, and named there as well. Joint training,
    and methods that are told the experience where others are not, are left out. Points are means over
    finished runs.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    names = display_names(frame if whole is None else whole)
    made = _competing(with_sizes(frame))
    with drawing():
        if made.empty:
            return blank_figure(f"no memory is there in {LEAST} sizes")
        merged = _by_baseline(made)
        figure, rows = rows_of_panels(merged, merged, _HEIGHT, 2)
        for runs, (axes, beside) in rows:
            axes.set_xlabel("Carried (bytes)")
            axes.set_ylabel("Average accuracy (%)")
            means = runs.groupby(["variant", "method"])[[CARRIED, "metrics.average_accuracy"]].mean()
            points = means.reset_index().set_axis(["variant", "method", "cost", "value"], axis=1)
            points = points.assign(value=100 * points["value"], competes=True)
            _panel(axes, points, merged)
            _named(axes, beside, points, names)
        line = Line2D([], [], label="Pareto front", **FRONT | {"drawstyle": "default"})
        legend(figure, merged, merged, points=True, more=[line])
    return figure


def with_sizes(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of scenarios in which a baseline carries at least three different numbers of bytes."""
    done = finished(classified(frame))
    done = done[done[CARRIED].notna()]
    if done.empty:
        return done
    # How the encoder is tuned changes what is carried as well, but that is no size of a memory.
    tuning = done["config"].map(lambda config: str(config.get("tuning")))
    memories = done.assign(memory=_baseline(done) + " " + tuning)
    means = memories.groupby([*PANEL, "memory", "method"])[CARRIED].mean()
    sizes = means.groupby([*PANEL, "memory"]).nunique()
    chosen = {each[:-1] for each in sizes[sizes >= LEAST].index}
    places = pd.Series(zip(*(done[name] for name in PANEL), strict=True), index=done.index)
    return done[places.isin(chosen)]


def _competing(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["competes"].astype(bool)]


def _by_baseline(frame: pd.DataFrame) -> pd.DataFrame:
    """The same runs with the baseline as their method; ``variant`` is the method that it was."""
    merged = frame.assign(variant=frame["method"], method=_baseline(frame))
    return merged.assign(name=merged["method"].map(display_names(merged)))


def _baseline(frame: pd.DataFrame) -> pd.Series:
    return frame["method"].str.split("-").str[0]


def _panel(axes: Axes, points: pd.DataFrame, whole: pd.DataFrame) -> None:
    axes.margins(y=0.1)
    for method, look in looks_of(points, whole).items():
        mine = points[points["method"] == method]
        axes.plot(mine["cost"], mine["value"], **look.line() | {"linestyle": "none"})
    draw_front(axes, points, 1)
    cost_axis(axes, points["cost"])
    if not _reached(points).all():
        best = points["value"].max()
        axes.set_ylim(best - _REACH, best + 0.1 * _REACH)


def _reached(points: pd.DataFrame) -> pd.Series:
    return points["value"].ge(points["value"].max() - _REACH)


def _named(axes: Axes, beside: Axes, points: pd.DataFrame, names: dict[str, str]) -> None:
    """Numbers the points on the front, and lists them, and what is below the axis, in the axes ``beside``."""
    beside.set_axis_off()
    best = points[pareto_front(points["cost"], points["value"])].sort_values(["cost", "value"])
    lines: list[str] = []
    for number, (variant, cost, value) in enumerate(_rows(best), start=1):
        at = cost, value
        axes.annotate(
            str(number), at, (0, 4), textcoords="offset points", ha="center", fontsize=7, annotation_clip=True
        )
        text = f"{number}  {value:.1f} %, {readable_bytes(cost)}: {drawable(names[variant])}"
        lines += textwrap.wrap(text, _LETTERS, subsequent_indent="    ", break_on_hyphens=False)
    below = points[~_reached(points) & ~points.index.isin(best.index)].sort_values("value", ascending=False)
    if len(below):
        told = enumerated([f"{drawable(names[variant])} {value:.1f} %" for variant, _, value in _rows(below)])
        lines += textwrap.wrap(f"Below: {told}", _LETTERS, subsequent_indent="    ", break_on_hyphens=False)
    beside.text(0, 1, "\n".join(lines), va="top", fontsize=7, linespacing=1.3, transform=beside.transAxes)


def _rows(points: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    yield from zip(*(points[each] for each in ("variant", "cost", "value")), strict=True)
