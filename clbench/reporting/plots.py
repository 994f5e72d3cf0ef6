"""Two figures: how accuracy goes over the stream, and what it costs in time.

Only finished runs are drawn; the tables tell what else there is. Figures are objects, never pyplot's
global state, and they ignore the settings of whoever draws them, so the same results give the same bytes.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from clbench.files import replacing
from clbench.reporting.render import plain
from clbench.reporting.styles import LineStyle, line_styles
from clbench.reporting.tables import PANEL

_SETTINGS = {
    "svg.hashsalt": "clbench",  # ids in the file follow from its content
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "lines.markersize": 6,
    "savefig.dpi": 200,
}
_PANEL_SIZE = 3.2, 2.7  # inches
_LABEL = 40  # characters of a method's name


def stream_accuracy_figure(frame: pd.DataFrame) -> Figure:
    """Accuracy on the union of all test sets after each stage: a panel per scenario, a line per method.

    Lines are means over seeds and orders, bands reach from the lowest run to the highest, and joint
    training is a dashed horizontal line.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
    """
    with style.context(["default", _SETTINGS]):
        figure, panels = _panels(frame, "Experiences trained on", "Accuracy on all test sets (%)")
        for axes, runs in panels:
            stages = max((len(row) for rows in runs["accuracy"] for row in rows), default=1)
            for method, look in _styles(frame, runs):
                curves = 100 * pd.DataFrame(runs.loc[runs["method"] == method, "stream_accuracy"].to_list())
                if look.joint:
                    curves = pd.concat([curves, curves], axis=1)
                positions = [1, stages] if look.joint else list(range(1, stages + 1))
                axes.plot(positions, curves.mean().to_numpy(), label=method, **_line(look))
                if len(curves) > 1:
                    low, high = curves.min().to_numpy(), curves.max().to_numpy()
                    axes.fill_between(positions, low, high, color=look.colour, alpha=0.15, linewidth=0)
            axes.set_xlim(0.7, stages + 0.3)
            axes.set_ylim(0, 102)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(figure, frame)
    return figure


def accuracy_time_figure(frame: pd.DataFrame) -> Figure:
    """Average accuracy against seconds in total: a panel per scenario, a point per method.

    Points are means over seeds and orders, and bars reach from the lowest run to the highest.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
    """
    with style.context(["default", _SETTINGS]):
        figure, panels = _panels(frame, "Total time (s), logarithmic", "Average accuracy (%)")
        for axes, runs in panels:
            timed = runs[runs["costs.seconds.total"] > 0]
            for method, look in _styles(frame, timed):
                mine = timed[timed["method"] == method]
                seconds, accuracy = mine["costs.seconds.total"], 100 * mine["metrics.average_accuracy"]
                x, y = seconds.mean(), accuracy.mean()
                axes.errorbar(
                    [x],
                    [y],
                    xerr=_reach(seconds),
                    yerr=_reach(accuracy),
                    label=method,
                    elinewidth=0.8,
                    **_line(look) | {"linestyle": "none"},
                )
            if len(timed):
                _logarithmic(axes, timed["costs.seconds.total"].min(), timed["costs.seconds.total"].max())
            axes.margins(y=0.12)
        _legend(figure, frame, points=True)
    return figure


def _reach(values: pd.Series) -> list[list[float]]:
    """From the mean down to the lowest and up to the highest; that of equal values may round past them."""
    mean = values.mean()
    return [[max(0.0, mean - values.min())], [max(0.0, values.max() - mean)]]


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes ``figure`` to ``stem`` with ``.svg`` and ``.png`` appended, and returns the two paths."""
    paths = []
    # Neither file tells the date or the version that drew it.
    for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        path = stem.with_name(f"{stem.name}.{kind}")
        with style.context(["default", _SETTINGS]), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
        paths.append(path)
    return paths


def _panels(frame: pd.DataFrame, x: str, y: str) -> tuple[Figure, Iterator[tuple[Axes, pd.DataFrame]]]:
    """An empty figure, and for each scenario and encoder its axes and its finished runs."""
    groups = list(frame.groupby(PANEL, sort=True))
    columns = 2 if len(groups) == 4 else min(3, len(groups))
    lines = math.ceil(len(groups) / columns)
    entries = frame.loc[frame["status"] == "done", "method"].nunique()
    width = max(5.5, columns * _PANEL_SIZE[0])
    height = lines * _PANEL_SIZE[1] + 0.19 * math.ceil(entries / _legend_columns(frame, width)) + 0.3
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in grid[len(groups) :]:
        unused.remove()

    def each() -> Iterator[tuple[Axes, pd.DataFrame]]:
        for place, (axes, (_, runs)) in enumerate(zip(grid, groups, strict=False)):
            title = textwrap.wrap(
                plain(runs["title"].iloc[0]), 42, max_lines=2, placeholder=" …", break_on_hyphens=False
            )
            if frame["encoder"].nunique() > 1:
                title.append(f"encoder {_short(runs['encoder'].iloc[0])}")
            axes.set_title("\n".join(title))
            if place % columns == 0:
                axes.set_ylabel(y)
            if place + columns >= len(groups):
                axes.set_xlabel(x)
            done = runs[runs["status"] == "done"]
            if done.empty:
                axes.text(0.5, 0.5, "no finished run", ha="center", va="center", transform=axes.transAxes)
            yield axes, done

    return figure, each()


def _styles(frame: pd.DataFrame, runs: pd.DataFrame) -> list[tuple[str, LineStyle]]:
    """The methods of ``runs``, in the look that they have in the whole of ``frame``."""
    looks = line_styles(frame)
    return [(method, looks[method]) for method in sorted(set(runs["method"]), key=list(looks).index)]


def _line(look: LineStyle) -> dict[str, Any]:
    return {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": "--" if look.joint else "-",
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def _logarithmic(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with plain numbers, with at least one of them however narrow the range."""
    axes.set_xscale("log")
    axes.set_xlim(low / 2, high * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 60 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, frame: pd.DataFrame, *, points: bool = False) -> None:
    """One legend for all panels, below them."""
    handles = []
    for method, look in _styles(frame, frame[frame["status"] == "done"]):
        line = _line(look) | ({"linestyle": "none"} if points else {})
        handles.append(Line2D([], [], label=method, **line))
    if handles:
        figure.legend(
            handles,
            [_short(str(handle.get_label())) for handle in handles],
            loc="outside lower center",
            ncols=_legend_columns(frame, figure.get_figwidth()),
            frameon=False,
        )


def _legend_columns(frame: pd.DataFrame, width: float) -> int:
    longest = max(len(_short(method)) for method in frame["method"])
    return max(1, int(width / (0.6 + 0.06 * longest)))


def _short(text: str) -> str:
    text = plain(text)
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
