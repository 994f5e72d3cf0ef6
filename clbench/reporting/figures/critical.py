"""Critical-difference diagrams: average ranks on a line, and bars over those that do not differ."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clbench.reporting.figures.canvas import GRAY, WIDTH, blank_figure, drawing
from clbench.reporting.figures.labels import inches, labels
from clbench.reporting.figures.styles import LineStyle
from clbench.reporting.statistics.ranking import task_means
from clbench.reporting.statistics.simultaneous import ALPHA, cliques, rank_test

_ROW = 0.2  # inches
_TICK = 0.3  # inches from a number of the axis to the next
_SIZE = 8  # points


def critical_difference_figure(frame: pd.DataFrame, looks: Mapping[str, LineStyle]) -> Figure:
    """Average ranks over scenarios; a bar joins methods nearer to each other than the critical difference.

    The critical difference is that of Nemenyi's test at 5 %, after Friedman's test (Demsar, JMLR 2006): what
    no bar joins differs significantly over these scenarios.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        looks: The line styles of the methods.
    """
    means = task_means(frame)
    found = rank_test(means.to_numpy())
    if not found.distance > 0:
        return blank_figure("too few methods or scenarios to compare ranks")
    names = dict(zip(frame["method"], frame["name"], strict=True))
    short = labels(names[method] for method in means.columns)
    ranked = pd.Series(found.ranks, index=means.columns).sort_values(kind="stable")
    bars = cliques(ranked.to_numpy(), found.distance)
    half = (len(ranked) + 1) // 2
    texts = _texts([short[names[str(method)]] for method in ranked.index], list(ranked))
    with drawing():
        height = _ROW * (half + 2.2) + 0.1 * len(bars) + 0.65
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        low, high = 1.0, float(len(ranked))
        # Shares of the width: what the texts of either side take, and what they leave for the axis.
        before, after = (
            min(0.4, (max(inches(each, _SIZE) for each in side) + 0.2) / WIDTH)
            for side in (texts[:half], texts[half:])
        )
        between = 1 - before - after
        unit = (high - low) / between
        axes.set_xlim(low - before * unit, high + after * unit)
        first = 1 + 0.5 * len(bars)
        axes.set_ylim(first + half + 0.2, -1.6)
        axes.plot([low, high], [0, 0], color="black", linewidth=0.9)
        for tick in MaxNLocator(min(10, int(between * WIDTH / _TICK)), integer=True).tick_values(low, high):
            if low <= tick <= high:
                axes.plot([tick, tick], [0, -0.25], color="black", linewidth=0.7)
                axes.text(tick, -0.4, f"{tick:.0f}", ha="center", va="bottom", fontsize=_SIZE)
        for place, (method, rank) in enumerate(ranked.items()):
            left = place < half
            row = first + (place if left else len(ranked) - 1 - place)
            end = low - 0.005 * unit if left else high + 0.005 * unit
            look = looks[str(method)]
            axes.plot([rank, rank, end], [0, row, row], color=look.color, linewidth=0.8)
            axes.text(end, row, texts[place], ha="right" if left else "left", va="center", fontsize=_SIZE)
        _bars(axes, list(ranked), bars)
        axes.set_axis_off()
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(
            f"Average rank over {found.tasks} scenarios (1 is best)\nFriedman p = {found.p:.2g}; "
            f"critical difference {found.distance:.2f} (Nemenyi, {100 * ALPHA:.0f} %)",
            color=GRAY,
        )
    return figure


def _texts(names: list[str], ranks: list[float]) -> list[str]:
    """What stands beside the lines, from the first rank: one half on the left, the other on the right."""
    half = (len(names) + 1) // 2
    return [
        f"{name}  {rank:.2f} " if place < half else f" {rank:.2f}  {name}"
        for place, (name, rank) in enumerate(zip(names, ranks, strict=True))
    ]


def _bars(axes: Axes, ranks: list[float], bars: list[tuple[int, int]]) -> None:
    for level, (first, last) in enumerate(bars):
        y = 0.45 + 0.5 * level
        axes.plot(
            [ranks[first] - 0.05, ranks[last] + 0.05],
            [y, y],
            color="black",
            linewidth=2.4,
            solid_capstyle="round",
        )
