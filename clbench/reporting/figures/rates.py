"""Accuracy by learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from clbench.reporting.figures.canvas import (
    Panel,
    blank_figure,
    drawing,
    finished,
    legend,
    panel_count,
    panels,
    styled,
)
from clbench.reporting.figures.labels import log_ticks, readable
from clbench.reporting.figures.styles import LineStyle
from clbench.reporting.load import PANEL
from clbench.reporting.names import display_names
from clbench.reporting.statistics.intervals import LEAST_RUNS, hierarchical_interval

LEAST = 3
"""So many learning rates of a method make a line."""
_RING: dict[str, Any] = {"marker": "o", "markersize": 10, "fillstyle": "none", "linestyle": "none"}


def learning_rate_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Accuracy by learning rate: a line per method that has at least three of them.

    Runs that differ in nothing but the learning rate are one method here. Points are means over finished
    runs (seeds and orders), bars their 95 % interval where there are several, and a ring marks the default
    rate. A rate with which training diverged has no point. Runs whose rate was searched are left out: their
    name does not tell the rate.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    merged = _merged(with_rates(frame))
    every = merged if whole is None else _merged(with_rates(whole))
    with drawing():
        if merged.empty:
            return blank_figure(f"no method has {LEAST} learning rates")
        figure, made = panels(merged, every, "Learning rate", "Average accuracy (%)")
        for panel in made:
            for _, look, runs in styled(panel):
                _line(panel, runs, look)
            _axis(panel, merged)
        ring = Line2D([], [], label="default rate", color="black", markeredgewidth=0.8, **_RING)
        legend(figure, merged, every, more=[ring])
    return figure


def with_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of methods that have finished with at least three learning rates on some scenario."""
    merged = _merged(frame)
    rates = finished(merged).groupby([*PANEL, "method"])["lr"].nunique()
    lines = set(rates[rates >= LEAST].index)
    chosen = pd.Series(zip(*(merged[name] for name in (*PANEL, "method")), strict=True), index=merged.index)
    return frame.loc[chosen[chosen.isin(lines)].index]


def rate_panel_count(frame: pd.DataFrame) -> int:
    """How many panels :func:`learning_rate_figure` has."""
    return panel_count(_merged(frame))


def _merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs whose learning rate no search chose, with ``lr``, and ``method`` without it.

    ``default`` is whether the name did not have the rate in it, which is how the default rate is written.
    """
    rates = frame["config"].map(lambda config: config.get("lr"))
    searched = frame["config"].map(lambda config: "lr" in (config.get("tuned") or ()))
    kept = frame[rates.map(lambda rate: isinstance(rate, int | float) and rate > 0) & ~searched]
    rates = rates[kept.index].astype(float)
    names = [
        "".join(name.rsplit(f"-lr={config['lr']}", 1))
        for name, config in zip(kept["method"], kept["config"], strict=True)
    ]
    merged = kept.assign(method=names, lr=rates, default=[*(kept["method"] == names)])
    return merged.assign(name=merged["method"].map(display_names(merged)))


def _line(panel: Panel, runs: pd.DataFrame, look: LineStyle) -> None:
    """The means of one method by rate, and a bar where a rate has several runs."""
    rates, means = [], []
    for rate in sorted(set(runs["lr"])):
        some = runs[runs["lr"] == rate]
        values = 100 * some["metrics.average_accuracy"].to_numpy()
        rates.append(rate)
        means.append(values.mean())
        if len(values) >= LEAST_RUNS:
            found = hierarchical_interval(values, list(some["order"]), np.random.default_rng(0))
            panel.axes.vlines(rate, found.low, found.high, color=look.color, linewidth=0.7, zorder=1.9)
        if some["default"].all():
            panel.axes.plot(rate, means[-1], color=look.color, markeredgewidth=0.8, **_RING)
    panel.axes.plot(rates, means, **look.line())


def _axis(panel: Panel, merged: pd.DataFrame) -> None:
    """A logarithmic axis, the same in all panels."""
    low, high = merged["lr"].min(), merged["lr"].max()
    margin = max(1.15, (high / low) ** 0.06)
    panel.axes.set_xscale("log")
    panel.axes.set_xlim(low / margin, high * margin)
    panel.axes.set_xticks(log_ticks(low / margin, high * margin))
    panel.axes.xaxis.set_minor_locator(NullLocator())
    panel.axes.xaxis.set_major_formatter(FuncFormatter(readable))
    panel.axes.margins(y=0.1)
