"""All figures of a set of results, in files of a size for a page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from clbench.reporting.figures.bits import bits_cost_figure, bits_per_byte_figure, general_bits_figure
from clbench.reporting.figures.canvas import groups, panel_count
from clbench.reporting.figures.choice import leading, rest
from clbench.reporting.figures.costs import accuracy_cost_figure
from clbench.reporting.figures.critical import critical_difference_figure
from clbench.reporting.figures.curves import forgetting_figure, stream_accuracy_figure
from clbench.reporting.figures.growth import growth_figure
from clbench.reporting.figures.keys import key_overlap_figure, key_use_figure, with_keys
from clbench.reporting.figures.matrices import accuracy_matrix_figure
from clbench.reporting.figures.memory import memory_figure, with_sizes
from clbench.reporting.figures.phases import phase_seconds_figure
from clbench.reporting.figures.ranks import rank_figure
from clbench.reporting.figures.rates import learning_rate_figure, rate_panel_count, with_rates
from clbench.reporting.figures.styles import line_styles
from clbench.reporting.load import classified, generative
from clbench.reporting.statistics.growth import by_length
from clbench.reporting.statistics.ranking import average_ranks, task_means


def _bar_lines(frame: pd.DataFrame) -> int:
    """Bars that a figure of ``frame`` would have, and what is around them in each block, in bars."""
    return sum(runs["method"].nunique() + 5 for runs in groups(frame))


def _map_lines(frame: pd.DataFrame) -> int:
    """Lines of heat maps, four in each, that a figure of ``frame`` would have."""
    return sum(math.ceil(runs["method"].nunique() / 4) for runs in groups(frame))


def _blocks(frame: pd.DataFrame) -> int:
    return len(groups(frame))


@dataclass(frozen=True)
class Plot:
    """One kind of figure, and how it is divided over files.

    Attributes:
        name: Its files are called so.
        draw: Makes the figure of a part of loaded results, and of the whole.
        size: How large a figure of some results would be, in its own measure.
        limit: Larger ones have a file per scenario and encoder.
        part: Which of the runs it is about.
        limited: Whether it shows few methods, and the others have a figure of their own for the appendix.
    """

    name: str
    draw: Callable[..., Figure]
    size: Callable[[pd.DataFrame], int]
    limit: int
    part: Callable[[pd.DataFrame], pd.DataFrame] = pd.DataFrame.copy
    limited: bool = True


PLOTS = (
    Plot("stream_accuracy", stream_accuracy_figure, panel_count, 9, classified),
    Plot("forgetting", forgetting_figure, panel_count, 9, classified),
    Plot("learning_rate", learning_rate_figure, rate_panel_count, 9, with_rates, limited=False),
    Plot("accuracy_matrix", accuracy_matrix_figure, _map_lines, 3, classified),
    Plot("accuracy_cost", accuracy_cost_figure, _blocks, 3, classified),
    Plot("memory", memory_figure, _blocks, 3, with_sizes, limited=False),
    Plot("bits_per_byte", bits_per_byte_figure, panel_count, 9, generative),
    Plot("general_bits", general_bits_figure, panel_count, 9, generative),
    Plot("bits_cost", bits_cost_figure, _blocks, 3, generative),
    Plot("phase_seconds", phase_seconds_figure, _bar_lines, 50),
    Plot(
        "growth", growth_figure, lambda frame: 1, 1, by_length, limited=False
    ),  # about several scenarios at once
    Plot("key_use", key_use_figure, _blocks, 3, with_keys),
    Plot("key_overlap", key_overlap_figure, _map_lines, 3, with_keys),
)
"""The figures of a report."""


def gallery(frame: pd.DataFrame, kinds: Collection[str] | None = None) -> Iterator[tuple[str, Figure]]:
    """Every figure of a report, each with the name of its files without a suffix.

    A figure has at most eight methods (:func:`~clbench.reporting.figures.choice.leading`); the others are in
    one for the appendix, such as ``forgetting-appendix``. Where a figure would still be too large for a page,
    there is one per scenario and encoder, named after them, such as ``stream_accuracy-r8-cil-minilm``.
    Figures about keys are left out where no run tells of keys, those of learning rates where no method has
    three, those of memory where no baseline has three sizes, and ranks where methods do not share several
    scenarios.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        kinds: Such as ``stream_accuracy``: only these are drawn; None is all of them.
    """

    def wanted(kind: str) -> bool:
        return kinds is None or kind in kinds

    for plot in (each for each in PLOTS if wanted(each.name)):
        runs = plot.part(frame)
        if plot.limited:
            yield from _divided(plot, plot.name, leading(runs), frame)
            yield from _divided(plot, f"{plot.name}-appendix", rest(runs), frame)
        else:
            yield from _divided(plot, plot.name, runs, frame)
    yield from _of_ranks(classified(frame), wanted)


def _of_ranks(frame: pd.DataFrame, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Figure]]:
    """The figures of ranks over all scenarios, where methods share several."""
    if frame.empty or len(groups(frame)) == 1 or not (wanted("critical_difference") or wanted("ranks")):
        return
    ranks, means = average_ranks(frame), task_means(frame)
    if not ranks["mean"].notna().any():
        return
    if wanted("critical_difference") and means.shape[0] > 1 < means.shape[1] - 1:
        yield "critical_difference", critical_difference_figure(frame, line_styles(frame))
    if wanted("ranks"):
        names = dict(zip(frame["method"], frame["name"], strict=True))
        yield "ranks", rank_figure(ranks, looks=line_styles(frame), names=names)


def _divided(plot: Plot, name: str, runs: pd.DataFrame, frame: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """The figures of some runs: one, or where it would be too large one for each scenario and encoder."""
    if runs.empty:
        return
    if plot.size(runs) <= plot.limit or len(groups(runs)) == 1:
        yield name, plot.draw(runs, whole=frame)
        return
    taken: set[str] = set()
    for each in groups(runs):
        first = each.iloc[0]
        own = f"{name}-{_plain(first['scenario'])}-{_plain(first['encoder'])}"
        yield _free(own, taken), plot.draw(each, whole=frame)


def _plain(text: str) -> str:
    """``text`` as a part of a file's name: at most 60 letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:60]


def _free(name: str, taken: set[str]) -> str:
    """``name``, or where it is taken, the same with the next free number."""
    numbers = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    free = next(each for each in (name, *numbers) if each not in taken)
    taken.add(free)
    return free
