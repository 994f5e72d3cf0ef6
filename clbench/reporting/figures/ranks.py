"""A chart of means with their intervals, one row per method: ranks, or another measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clbench.reporting.figures.canvas import GRAY, NARROW, blank_figure, drawing
from clbench.reporting.figures.labels import labels
from clbench.reporting.figures.styles import LineStyle, line_styles

_ROW = 0.21  # inches


def rank_figure(
    ranks: pd.DataFrame,
    label: str = "Average rank (1 is best)",
    *,
    best: str = "low",
    looks: Mapping[str, LineStyle] | None = None,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """A row per method, the best first: its mean, and its interval as a line.

    The number at the end of a row is the mean. The number of values n stands in the label of the axis if all
    rows have the same, otherwise behind the name of the method.

    Args:
        ranks: The columns ``method``, without one twice; ``mean``; ``low`` and ``high``, the bounds of the
            interval, both NaN where there is none; ``n``, the number of values of each mean. Methods whose
            mean is NaN come last, without a point.
        label: What is measured, for the axis.
        best: Which means come first: ``low`` or ``high``.
        looks: The line styles of the methods, from :func:`~clbench.reporting.figures.styles.line_styles` of
            all results; None makes them from these methods alone.
        names: What readers see of each method, from :func:`~clbench.reporting.names.display_names`; None is
            its id.

    Raises:
        ValueError: A column is missing, a method occurs twice, or ``best`` is neither of the two.

    Example:
        >>> ranks = pd.DataFrame(
        ...     {"method": ["ewc", "ncm"], "mean": [1.8, 1.2], "low": [1.6, 1.0], "high": [2.0, 1.4], "n": 5}
        ... )
        >>> [tick.get_text() for tick in rank_figure(ranks).axes[0].get_yticklabels()]
        ['ncm', 'ewc']
    """
    _check(ranks, best)
    if ranks.empty:
        return blank_figure("no methods to rank")
    rows = ranks.sort_values("method").sort_values("mean", ascending=best == "low", kind="stable")
    known = names or {}
    short = labels(known.get(method, method) for method in rows["method"])
    names = {method: short[known.get(method, method)] for method in rows["method"]}
    looks = line_styles(rows.assign(stream="sequential")) if looks is None else looks
    counts = set(rows["n"])
    with drawing():
        figure = Figure(figsize=(NARROW, _ROW * len(rows) + 0.75), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows.to_dict("records")):
            if not math.isnan(row["mean"]):
                _draw_row(axes, place, row, looks[row["method"]])
        axes.set_yticks(
            range(len(rows)), [_tick(names[m], n, counts) for m, n in rows[["method", "n"]].values]
        )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.margins(x=0.06)
        axes.grid(visible=False, axis="y")
        if rows["mean"].isna().all():
            axes.set_xticks([])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        axes.set_xlabel(f"{label}, n = {counts.pop()}" if len(counts) == 1 else label)
    return figure


def _draw_row(axes: Axes, place: int, row: Mapping[Any, Any], look: LineStyle) -> None:
    """A point for the mean, a line for the interval, and the mean as a number right of the axes."""
    if not math.isnan(row["low"]):
        axes.plot([row["low"], row["high"]], [place, place], color=look.color, linewidth=1.8)
    axes.plot([row["mean"]], [place], label=row["method"], **look.line() | {"linestyle": "none"})
    axes.annotate(
        f"{row['mean']:.2f}",
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
        color=GRAY,
    )


def _check(ranks: pd.DataFrame, best: str) -> None:
    missing = [name for name in ("method", "mean", "low", "high", "n") if name not in ranks]
    if missing:
        raise ValueError(f"ranks has no column {', '.join(missing)}")
    twice = sorted(set(ranks.loc[ranks["method"].duplicated(), "method"]))
    if twice:
        raise ValueError(f"ranks has more than one row of {', '.join(twice)}")
    if best not in ("low", "high"):
        raise ValueError(f"best is '{best}', not 'low' or 'high'")


def _tick(name: str, n: int, counts: set[int]) -> str:
    return name if len(counts) == 1 else f"{name} (n = {n})"
