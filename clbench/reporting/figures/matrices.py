"""Heat maps: the accuracy matrix R, a map per method, side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clbench.reporting.figures.canvas import WIDTH, drawing, finished, groups, looks_of, names_of, say
from clbench.reporting.figures.labels import scenario_title
from clbench.reporting.measures import ACCURACY

COLORS = "cividis"
"""Made for readers with and without color blindness, and even in gray."""
WRITTEN = 7
"""Up to so many experiences, values stand in the cells."""
MAPS = 16
"""The most maps of one scenario and encoder: layouts of more take minutes, and nobody compares them."""
SIDE = 300
"""The most experiences of a map, which has fewer points than that."""
_WIDE = 4  # maps side by side
_LETTERS = 18  # in a line of a title
_CELL = 7.0  # points: three digits in a cell of a fifth of an inch
_SCALE = Normalize(0, 100)
_DARK = 47  # below, white stands out more from the color, above black; both by 4.5 to 1 at least


def accuracy_matrix_figure(frame: pd.DataFrame, *, whole: pd.DataFrame | None = None) -> Figure:
    """R[t, i], the accuracy on experience i after training on experience t: a heat map per method.

    Values are means over finished runs, in %. Cells without a value are blank: all but the last row of joint
    training, which has no other stage. Up to ten experiences, values are written in the cells. Of more than
    :data:`MAPS` methods, those of the highest average accuracy are shown; streams of more than :data:`SIDE`
    experiences are not.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns, or some of its rows: ``frame[:1]``.
        whole: The results of which ``frame`` is a part, if it is one: methods look the same in all parts.
    """
    return heat_maps(
        frame, whole, "accuracy", ("Test texts of experience", "After training on"), "Accuracy (%)"
    )


def mean_matrix(matrices: Sequence[Sequence[Sequence[float]]], stages: int) -> NDArray[np.float64] | None:
    """The mean of several matrices, in %, (stages, stages), NaN where they have no value; None without any.

    A matrix with fewer rows holds the last ones: joint training has but its last stage.
    """
    if not matrices:
        return None
    sums = np.full((len(matrices), stages, stages), math.nan)
    for place, matrix in enumerate(matrices):
        for row, values in enumerate(matrix, start=stages - len(matrix)):
            sums[place, row, : len(values)] = values
    mean: NDArray[np.float64] = 100 * sums.mean(axis=0)
    return mean


def heat_maps(
    frame: pd.DataFrame,
    whole: pd.DataFrame | None,
    column: str,
    axis_labels: tuple[str, str],
    quantity: str,
    nothing: str = "",
) -> Figure:
    """A block of heat maps per scenario and encoder, with one scale from 0 to 100 for all.

    Args:
        frame: Loaded results.
        whole: Those of which they are a part.
        column: That of the matrices, as shares; the maps are their means over finished runs.
        axis_labels: What columns and rows of a map are.
        quantity: What the color bar says.
        nothing: What stands in a map that is all blank.
    """
    names = names_of(frame, whole)
    blocks = [
        (
            scenario_title(frame, runs, 90) + _left_out(runs),
            _maps(_shown(runs), frame if whole is None else whole, column),
        )
        for runs in groups(frame)
    ]
    with drawing():
        columns = [_WIDE] * len(blocks)
        lines = [math.ceil(len(maps) / wide) for (_, maps), wide in zip(blocks, columns, strict=True)]
        heights = [
            line * ((WIDTH - 1.3) / wide + 0.45) + 0.4 + 0.16 * len(title)
            for line, wide, (title, _) in zip(lines, columns, blocks, strict=True)
        ]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        parts = figure.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False).ravel()
        for part, height, (title, maps), line, wide in zip(
            parts, heights, blocks, lines, columns, strict=True
        ):
            # Few maps leave the right side of a block empty, so its title stands on the left.
            part.suptitle("\n".join(title), fontsize=9, x=0.01, horizontalalignment="left")
            grid = part.subplots(line, wide, squeeze=False)
            _fill(grid, {names[method]: values for method, values in maps.items()}, axis_labels, nothing)
            # A bar of at most three inches, an eighth of an inch thick.
            bar = min(height - 0.9, 3.0)
            part.colorbar(
                ScalarMappable(_SCALE, COLORS),
                ax=grid.ravel()[: len(maps)].tolist(),
                label=quantity,
                shrink=bar / height,
                aspect=8 * bar,
                pad=0.015,
                anchor=(0, 1),
            )
    return figure


def _fill(
    grid: NDArray[Any], maps: Mapping[str, NDArray[np.float64] | None], labels: tuple[str, str], nothing: str
) -> None:
    """A map in each of the axes of a block, (lines, columns); those that are left over go."""
    every, wide = grid.ravel(), grid.shape[1]
    for place, (axes, (name, values)) in enumerate(zip(every, maps.items(), strict=False)):
        axes.set_title(textwrap.fill(name, _LETTERS), fontsize=8)
        _heat_map(axes, values, nothing)
        if place + wide >= len(maps):
            axes.set_xlabel(labels[0], fontsize=8)
        if place % wide == 0:
            axes.set_ylabel(labels[1], fontsize=8)
    for unused in every[len(maps) :]:
        unused.remove()


def _shown(runs: pd.DataFrame) -> pd.DataFrame:
    """Those of the methods that have a map: the most accurate ones, and of equals the first by name."""
    if runs["method"].nunique() <= MAPS:
        return runs
    means = finished(runs).groupby("method")[ACCURACY.source].mean().reindex(sorted(set(runs["method"])))
    best = means.sort_values(ascending=False, kind="stable", na_position="last").index[:MAPS]
    return runs[runs["method"].isin(set(best))]


def _left_out(runs: pd.DataFrame) -> list[str]:
    """The line of a title that says so, if some methods have no map."""
    methods = runs["method"].nunique()
    return [f"the {MAPS} most accurate of {methods} methods"] if methods > MAPS else []


def _maps(runs: pd.DataFrame, whole: pd.DataFrame, column: str) -> dict[str, NDArray[np.float64] | None]:
    """By method the mean of its matrices, whose last row is the last stage; None without a finished run."""
    done = finished(runs)
    stages = max((len(each) for rows in done[column] for each in (rows, *rows)), default=1)
    if stages > SIDE:
        return dict.fromkeys(looks_of(runs, whole), np.full((stages, 0), math.nan))
    return {
        method: mean_matrix(done.loc[done["method"] == method, column].to_list(), stages)
        for method in looks_of(runs, whole)
    }


def _heat_map(axes: Axes, values: NDArray[np.float64] | None, nothing: str) -> None:
    """One heat map, with its values where there is room."""
    if values is None or np.isnan(values).all():
        axes.set_box_aspect(1)
        axes.set_xticks([])
        axes.set_yticks([])
        large = values is not None and not values.size and f"{len(values):,} experiences"
        say(axes, large or ("no finished run" if values is None else nothing))
        return
    stages = len(values)
    low, high = 0.5, stages + 0.5
    axes.imshow(values, cmap=COLORS, norm=_SCALE, extent=(low, high, high, low))
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    if stages > WRITTEN:
        return
    for (row, column), value in np.ndenumerate(values):
        if not math.isnan(value):
            shade = "white" if value < _DARK else "black"
            text = f"{round(value):d}"
            axes.text(column + 1, row + 1, text, ha="center", va="center", color=shade, fontsize=_CELL)
