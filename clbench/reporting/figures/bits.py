"""Figures of language models: bits per byte over the stream, on other text, and against costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from clbench.reporting.figures.canvas import drawing, legend, panels, styled
from clbench.reporting.figures.costs import cost_figure
from clbench.reporting.figures.curves import line, spread_out, stacked, stage_axis


def bits_per_byte_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Bits per byte of all test texts before training (0) and after each experience: a line per method.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    return _curves(frame, whole, "stream_bits", "Bits per byte, all test texts")


def general_bits_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Bits per byte of text of no experience before training (0) and after each experience: retention.

    Arguments as for :func:`bits_per_byte_figure`.
    """
    return _curves(frame, whole, "general_bits", "Bits per byte, other text")


def bits_cost_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """Average bits per byte against seconds, FLOPs and bytes carried: a point per method, the Pareto front.

    Arguments as for :func:`bits_per_byte_figure`.
    """
    return cost_figure(
        frame, whole, "metrics.average_bits_per_byte", "Bits per byte", scale=1, better="lower"
    )


def _curves(frame: pd.DataFrame, whole: pd.DataFrame | None, column: str, label: str) -> Figure:
    with drawing():
        figure, made = panels(frame, whole, "Experiences trained on", label)
        for panel in made:
            lengths = [len(each) for runs in (panel.runs, panel.others) for each in runs[column]]
            stages = max(lengths, default=1)
            for place, (_, look, runs) in enumerate(styled(panel)):
                values = stacked(runs[column])
                if values.shape[1] == 2 < stages:  # joint training: before, and after everything
                    values = spread_out(values[:, 1:], stages)
                line(panel.axes, values, list(runs["order"]), look, place, first=0)
            stage_axis(panel.axes, stages - 1, first=0)
        legend(figure, frame, whole)
    return figure
