"""What all figures share: their settings, their panels, their legend, and how they are written.

Figures are objects, never pyplot's global state, and they ignore the settings of whoever draws them, so the
same results give the same bytes.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clbench.core.io import replacing
from clbench.reporting.figures.labels import fold, inches, labels, scenario_title
from clbench.reporting.figures.styles import LineStyle, line_styles
from clbench.reporting.load import PANEL
from clbench.reporting.names import enumerated

WIDTH = 7.0
"""Inches: the text of a page."""
COLUMN = 3.35
"""Inches, for one of two columns."""
NARROW = 5.5
"""Inches, for one panel alone."""
CROWD = 10
"""So many methods are readable in one panel; more are divided by kind."""
FAINT = "#d4d4d4"
GRAY = "#6b6b6b"
_SHARE = 6  # methods in a panel where they are divided
_LEGEND_ROW = 0.175  # inches
_LEGEND_SIZE = 8
_SETTINGS = {
    "svg.hashsalt": "clbench",  # ids in the file follow from its content
    "pdf.fonttype": 42,  # publishers refuse Type 3 fonts
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": _LEGEND_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.3,
    "lines.markersize": 5,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True)
class Panel:
    """The axes of some methods on one scenario and encoder.

    Attributes:
        axes: Where to draw.
        runs: The finished runs of the methods that stand out here.
        others: Those of the scenario's other methods, which have a panel of their own.
        looks: The looks of the methods of ``runs``, in the order in which they are drawn.
    """

    axes: Axes
    runs: pd.DataFrame
    others: pd.DataFrame
    looks: dict[str, LineStyle]


def drawing() -> AbstractContextManager[None]:
    """The settings under which figures are made and written, whatever those of the user."""
    return style.context(["default", _SETTINGS])


def save(figure: Figure, stem: str | Path) -> list[Path]:
    """Writes ``figure`` to ``stem`` with ``.svg`` and ``.pdf`` appended, and returns the two paths.

    Neither file tells the date or the version that drew it: the same figure gives the same bytes.
    """
    stem = Path(stem)
    paths = []
    for kind, keys in (("svg", ("Date", "Creator")), ("pdf", ("CreationDate", "Creator", "Producer"))):
        path = stem.with_name(f"{stem.name}.{kind}")
        with drawing(), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=dict.fromkeys(keys))
        figure.set_layout_engine("none")  # that of the first file holds for the other: it takes seconds
        paths.append(path)
    return paths


def groups(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The runs of each scenario and encoder, sorted by these.

    Raises:
        ValueError: There is none, so there is nothing to draw.
    """
    if frame.empty:
        raise ValueError("no runs to draw")
    return [runs for _, runs in frame.groupby(PANEL, sort=True)]


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Those of ``runs`` that are done: the only ones that are drawn."""
    return runs[runs["status"] == "done"]


def looks_of(runs: pd.DataFrame, whole: pd.DataFrame | None) -> dict[str, LineStyle]:
    """The methods of ``runs``, in the look that they have in ``whole``, which they are a part of."""
    methods = set(runs["method"])
    styles = line_styles(runs if whole is None else whole)
    return {method: look for method, look in styles.items() if method in methods}


def names_of(runs: pd.DataFrame, whole: pd.DataFrame | None) -> dict[str, str]:
    """The labels of methods, told apart in ``whole``, the results of which ``runs`` are a part."""
    names = dict((runs if whole is None else whole)[["method", "name"]].itertuples(index=False, name=None))
    short = labels(names.values())
    own = set(runs["method"])
    return {method: short[name] for method, name in names.items() if method in own}


def panel_count(frame: pd.DataFrame) -> int:
    """How many panels :func:`panels` makes."""
    return sum(len(_divided(looks_of(runs, frame))) for runs in groups(frame))


def panels(
    frame: pd.DataFrame,
    whole: pd.DataFrame | None,
    x: str,
    y: str,
    height: float = 2.4,
    *,
    column: bool = False,
) -> tuple[Figure, list[Panel]]:
    """An empty figure with a legend for all methods, and its panels.

    Each scenario and encoder has a panel, or several with some methods each, where there are more than
    :data:`CROWD`.

    Args:
        frame: Loaded results.
        whole: Those of which they are a part.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        height: Of a panel, in inches.
        column: Whether it is as wide as one of two columns, with panels below each other.
    """
    whole = frame if whole is None else whole
    looks, names = looks_of(frame, whole), names_of(frame, whole)
    parts = [(runs, methods) for runs in groups(frame) for methods in _divided(looks_of(runs, whole))]
    columns = 1 if column else {1: 1, 2: 2, 4: 2}.get(len(parts), 3)
    lines = math.ceil(len(parts) / columns)
    width = COLUMN if column else NARROW if columns == 1 else WIDTH
    size = width, lines * height + legend_height(names.values(), width)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in grid[len(parts) :]:
        unused.remove()
    alone = frame.groupby(PANEL).ngroups == 1 and len(parts) > 1
    if alone:
        figure.suptitle("\n".join(scenario_title(frame, frame, 90)), fontsize=9)
    made = []
    letters = int(11.5 * width / columns)
    for place, (axes, (runs, methods)) in enumerate(zip(grid, parts, strict=False)):
        done = finished(runs)
        mine = done[done["method"].isin(methods)]
        shown = {method: looks[method] for method in looks if method in set(mine["method"])}
        heading = [] if alone else scenario_title(frame, runs, letters)
        if len(methods) < runs["method"].nunique():
            heading += fold(", ".join(dict.fromkeys(looks[method].kind for method in methods)), letters)
        axes.set_title("\n".join(heading))
        if place % columns == 0:
            axes.set_ylabel(y)
        if place + columns >= len(parts):
            axes.set_xlabel(x)
        lacking = [method for method in methods if method not in shown]
        if mine.empty:
            say(axes, "no finished run")
        elif lacking:
            note(axes, "no finished run", [names[each] for each in lacking], letters)
        made.append(Panel(axes, mine, done[~done["method"].isin(methods)], shown))
    return figure, made


def rows_of_panels(
    frame: pd.DataFrame, whole: pd.DataFrame, height: float, columns: int, *, sharey: bool = False
) -> tuple[Figure, list[tuple[pd.DataFrame, list[Axes]]]]:
    """An empty figure with room for a legend: for each scenario and encoder its runs, and a row of axes.

    Args:
        frame: Loaded results.
        whole: Those of which they are a part.
        height: Of a row, in inches.
        columns: Axes of a row.
        sharey: Whether those of a row have one vertical axis.
    """
    blocks = groups(frame)
    size = WIDTH, height * len(blocks) + legend_height(names_of(frame, whole).values(), WIDTH)
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subfigures(len(blocks), 1, squeeze=False).ravel()
    for part, runs in zip(parts, blocks, strict=True):
        part.suptitle("\n".join(scenario_title(frame, runs, 90)), fontsize=9)
    rows = [list(part.subplots(1, columns, sharey=sharey)) for part in parts]
    return figure, list(zip(blocks, rows, strict=True))


def _divided(looks: Mapping[str, LineStyle]) -> list[list[str]]:
    """The methods of one scenario, in parts that one panel can show, kinds kept together."""
    if len(looks) <= CROWD:
        return [list(looks)]
    parts: list[list[str]] = [[]]
    for kind in dict.fromkeys(look.kind for look in looks.values()):
        mine = [method for method, look in looks.items() if look.kind == kind]
        pieces = math.ceil(len(mine) / _SHARE)
        for i in range(pieces):
            piece = mine[i * len(mine) // pieces : (i + 1) * len(mine) // pieces]
            if len(parts[-1]) + len(piece) > _SHARE:
                parts.append([])
            parts[-1].extend(piece)
    return parts


def say(axes: Axes, text: str) -> None:
    """Writes ``text`` into the middle of axes that have nothing else to show."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GRAY, transform=axes.transAxes)


def vacant(axes: Axes, text: str) -> None:
    """Writes ``text`` into axes that have no values, and so no numbers along them."""
    say(axes, text)
    axes.set_xticks([])
    axes.set_yticks([])


def blank_figure(text: str) -> Figure:
    """A figure that has nothing to show but ``text``."""
    figure = Figure(figsize=(NARROW, 1.0))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GRAY)
    return figure


def note(axes: Axes, what: str, names: Sequence[str], letters: int) -> None:
    """Adds ``names``, and what is with them, to the title, where it covers nothing."""
    text = textwrap.fill(f"{what}: {enumerated(names)}", letters, break_on_hyphens=False)
    axes.set_title("\n".join(filter(None, [axes.get_title(), text])))


def legend(
    figure: Figure,
    frame: pd.DataFrame,
    whole: pd.DataFrame | None,
    *,
    points: bool = False,
    more: Sequence[Artist] = (),
) -> None:
    """One legend for all panels, below them: every method of ``frame``, also those without a finished run.

    Args:
        figure: Has room for it.
        frame: Loaded results.
        whole: Those of which they are a part.
        points: Whether methods are drawn as points without lines.
        more: What else it explains, each with a label.
    """
    names, done = names_of(frame, whole), set(finished(frame)["method"])
    handles: list[Artist] = []
    shown: list[str] = []
    for method, look in looks_of(frame, whole).items():
        line = look.line() | ({"linestyle": "none"} if points else {})
        line |= {} if method in done else {"linestyle": "none", "marker": ""}
        handles.append(Line2D([], [], **line))
        shown.append(names[method] if method in done else f"{names[method]} (not finished)")
    handles += more
    shown += [str(artist.get_label()) for artist in more]
    figure.legend(
        handles,
        shown,
        loc="outside lower center",
        ncols=_legend_columns(shown, figure.get_figwidth()),
        frameon=False,
        handlelength=2.2,
        columnspacing=1.2,
        labelspacing=0.25,
    )


def legend_height(entries: Collection[str], width: float) -> float:
    """Inches that a legend with these entries takes in a figure of so many inches."""
    return _LEGEND_ROW * math.ceil((1 + len(entries)) / _legend_columns(entries, width)) + 0.25


def _legend_columns(entries: Collection[str], width: float) -> int:
    # A tenth more, as a screen draws letters wider.
    widest = 1.1 * max(inches(each, _LEGEND_SIZE) for each in entries)
    return max(1, int(width / (0.5 + widest)))


def styled(panel: Panel) -> Iterator[tuple[str, LineStyle, pd.DataFrame]]:
    """Each method of a panel, its look, and its runs."""
    for method, look in panel.looks.items():
        yield method, look, panel.runs[panel.runs["method"] == method]
