"""Curves over the stream: accuracy after each experience, and forgetting of each experience."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clbench.reporting.figures.canvas import FAINT, Panel, drawing, legend, panels, say, styled
from clbench.reporting.figures.styles import LineStyle
from clbench.reporting.statistics.intervals import LEAST_RUNS, hierarchical_interval


def stream_accuracy_figure(
    frame: pd.DataFrame, *, whole: pd.DataFrame | None = None, column: bool = False
) -> Figure:
    """Accuracy on the union of all test sets after each experience: a line per method.

    Lines are means over finished runs (seeds and orders), and bands their 95 % interval where there are
    several; joint training is a dashed horizontal line. More than ten methods of a scenario
    are divided over several panels, each of which shows the others faintly.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
        column: Whether it is as wide as one of two columns, with panels below each other.
    """
    with drawing():
        figure, made = panels(
            frame, whole, "Experiences trained on", "Accuracy on all test texts (%)", column=column
        )
        for panel in made:
            stages = _stages(panel)
            for curves in _others(panel, "stream_accuracy"):
                _faint(panel.axes, spread_out(100 * curves, stages))
            for place, (_, look, runs) in enumerate(styled(panel)):
                curves = spread_out(100 * stacked(runs["stream_accuracy"]), stages)
                line(panel.axes, curves, list(runs["order"]), look, place)
            stage_axis(panel.axes, stages)
            panel.axes.set_ylim(0, 103)
        legend(figure, frame, whole)
    return figure


def forgetting_figure(
    frame: pd.DataFrame, *, whole: pd.DataFrame | None = None, column: bool = False
) -> Figure:
    """How much of each experience is forgotten at the end: a line per method.

    The forgetting of experience i < T is max over i <= t < T of R[t, i], minus R[T, i]; its mean over i is
    the forgetting of the tables. Negative values are gains. Lines are means over finished runs, and bands
    their 95 % interval where there are several. It is not defined for joint training, nor for T = 1.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
        column: Whether it is as wide as one of two columns, with panels below each other.
    """
    streams = frame.assign(forgotten=frame["accuracy"].map(forgetting_by_experience))
    with drawing():
        figure, made = panels(streams, whole, "Place of the experience", "Forgetting (points)", column=column)
        for panel in made:
            stages = _stages(panel)
            for curves in _others(panel, "forgotten"):
                _faint(panel.axes, 100 * curves)
            for place, (_, look, runs) in enumerate(styled(panel)):
                curves = 100 * stacked(runs["forgotten"])
                line(panel.axes, curves, list(runs["order"]), look, place)
            stage_axis(panel.axes, max(1, stages - 1))
            panel.axes.axhline(0, color="black", linewidth=0.6, zorder=1.5)
            if len(panel.runs) and not any(map(len, panel.runs["forgotten"])):
                say(panel.axes, "not defined:\nno experience comes after another")
        others = frame[frame["stream"] != "joint"]  # joint training has no line
        legend(figure, frame if others.empty else others, frame if whole is None else whole)
    return figure


def forgetting_by_experience(accuracy: Sequence[Sequence[float]]) -> list[float]:
    """For each i < T: max over i <= t < T of R[t, i], minus R[T, i]; nothing unless R is square.

    Args:
        accuracy: R, T rows of T accuracies.

    Example:
        >>> forgetting_by_experience([[0.75, 0.25, 0.0], [0.5, 1.0, 0.0], [0.25, 0.75, 1.0]])
        [0.5, 0.25]
    """
    last = len(accuracy) - 1
    if any(len(row) != len(accuracy) for row in accuracy):
        return []
    return [max(accuracy[t][i] for t in range(i, last)) - accuracy[last][i] for i in range(last)]


def stacked(lists: pd.Series) -> NDArray[np.float64]:
    """One row per run, of its list; NaN at the end of lists that are shorter than others."""
    return pd.DataFrame(lists.to_list(), dtype=np.float64).to_numpy()


def _stages(panel: Panel) -> int:
    """T: how many experiences the scenario has, of whichever method."""
    rows = [row for runs in (panel.runs, panel.others) for rows in runs["accuracy"] for row in rows]
    return max(map(len, rows), default=1)


def _others(panel: Panel, column: str) -> list[NDArray[np.float64]]:
    return [stacked(runs[column]) for _, runs in panel.others.groupby("method")]


def spread_out(curves: NDArray[np.float64], stages: int) -> NDArray[np.float64]:
    """Joint training has one stage, which holds for the whole stream."""
    return np.repeat(curves, stages, axis=1) if curves.shape[1] == 1 else curves


def _faint(axes: Axes, curves: NDArray[np.float64]) -> None:
    axes.plot(range(1, curves.shape[1] + 1), curves.mean(axis=0), color=FAINT, linewidth=0.9, zorder=1.6)


def line(
    axes: Axes,
    curves: NDArray[np.float64],
    orders: Sequence[str],
    look: LineStyle,
    place: int,
    first: int = 1,
) -> None:
    """The mean of ``curves``, (runs, stages), and a band around it; ``first`` is the number of a stage."""
    stages = curves.shape[1]
    if not stages:
        return
    positions = range(first, stages + first)
    # Markers of a long stream stand apart, and those of different methods beside each other.
    step = 1 if stages <= 12 else stages // 6
    axes.plot(positions, curves.mean(axis=0), markevery=(place % step, step), **look.line())
    if len(curves) >= LEAST_RUNS:
        found = hierarchical_interval(curves, orders, np.random.default_rng(0))
        axes.fill_between(positions, found.low, found.high, color=look.color, alpha=0.15, linewidth=0)


def stage_axis(axes: Axes, stages: int, first: int = 1) -> None:
    """A horizontal axis of whole numbers, ``first`` to ``stages``."""
    axes.set_xlim(first - 0.3, stages + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
