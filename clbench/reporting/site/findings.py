"""What a set of results shows, in a few sentences, each with the comparison that it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

import numpy as np
import pandas as pd

from clbench.reporting.figures.styles import line_styles
from clbench.reporting.formatting import percent, readable_bytes
from clbench.reporting.load import PANEL, classified
from clbench.reporting.site.grid import Cell, Column, Grid
from clbench.reporting.statistics.ranking import task_means
from clbench.reporting.statistics.simultaneous import rank_test
from clbench.reporting.tables.cells import NOTHING

NOUNS = {
    "naive": "naive methods", "bottleneck": "bottleneck methods", "penalties": "penalty methods",
    "rehearsal": "rehearsal methods", "prototypes": "prototype methods",
    "projections and masks": "methods with projections or masks", "other": "other methods",
}  # fmt: skip
NEAR = 0.02
"""Two points: so far below the best accuracy, a cheaper method is worth naming."""
_SHOWN = 8
"""Methods of a comparison of ranks."""
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Finding:
    """One sentence or two, and the numbers behind them."""

    text: str
    comparison: Grid


def findings(frame: pd.DataFrame, table: pd.DataFrame) -> list[Finding]:
    """At most six findings about classification; fewer where results do not have what they compare.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        table: The comparison of it.
    """
    frame = classified(frame)
    rows = table[(table["n"] > 0) & table["average_accuracy"].notna()]
    if frame.empty or rows.empty:
        return []
    aware = {key: bool(runs["config"].iloc[0].get("task_aware")) for key, runs in frame.groupby(PANEL)}
    looks = line_styles(frame)
    panels = [
        (key, [row | {"family": looks[row["method"]].kind} for row in of.to_dict("records")])
        for key, of in rows.groupby(PANEL, sort=True)
    ]
    makers: list[Callable[[], Iterable[Finding]]] = [
        lambda: _ranks(frame),
        lambda: _families(
            "Where the task of a test text is not known", [p for p in panels if not aware[p[0]]]
        ),
        lambda: _families("Where the task of a test text is known", [p for p in panels if aware[p[0]]]),
        lambda: _joint(panels),
        lambda: _small(panels),
        lambda: _future(panels),
    ]
    return [finding for make in makers for finding in make()]


Panels = list[tuple[Any, list[dict[Any, Any]]]]


def _ranks(frame: pd.DataFrame) -> Iterator[Finding]:
    means = task_means(frame)
    found = rank_test(means.to_numpy())
    if math.isnan(found.distance):
        return
    places = pd.Series(found.ranks, index=means.columns).sort_values(kind="stable")
    names = dict(zip(frame["method"], frame["name"], strict=True))
    near, others = int((places < places.iloc[0] + found.distance).sum()) - 1, found.methods - 1
    behind = (
        f"None of the other {others} methods is significantly behind it"
        if near == others
        else f"{near} of the other {others} methods are not significantly behind it"
    )
    text = (
        f"{names[places.index[0]]} has the best average rank, {places.iloc[0]:.1f} over {found.tasks} "
        f"scenarios. {behind} (Nemenyi's test: critical difference {found.distance:.1f}; Friedman's test: "
        f"p = {found.p:.2g})."
    )
    rows = [
        [
            Cell(names[method]),
            Cell(f"{rank:.2f}", rank),
            Cell("significantly behind" if rank - places.iloc[0] >= found.distance else "not told apart"),
        ]
        for method, rank in places.head(_SHOWN).items()
    ]
    columns = [Column("Method"), Column("Average rank", "number"), Column("Beside the first")]
    yield Finding(text, Grid("The first by average rank", columns, rows))


def _families(where: str, panels: Panels) -> Iterator[Finding]:
    best = {
        key: {
            family: max((row for row in mine if row["family"] == family), key=_accuracy)
            for family in {row["family"] for row in mine}
        }
        for key, rows in panels
        for mine in [_rivals(rows)]
    }
    shared = set.intersection(*map(set, best.values())) if best else set()
    if len(shared) < 2:
        return
    gaps = {
        family: [
            _accuracy(each[family]) - max(_accuracy(each[other]) for other in shared - {family})
            for each in best.values()
        ]
        for family in shared
    }
    wins = {family: sum(gap > 0 for gap in mine) for family, mine in gaps.items()}
    first = max(sorted(shared), key=lambda family: (wins[family], mean(gaps[family])))
    beside = f"{_points(mean(gaps[first]))} the best of every other family on average"
    ahead = f"first in {wins[first]} of {_streams(len(best))}"
    text = (
        f"{where}, {NOUNS[first]} lead: their best is {ahead}, and {beside}."
        if 2 * wins[first] > len(best)
        else f"{where}, no family leads everywhere: the best of {NOUNS[first]} is {ahead}, and {beside}."
    )
    overall = {family: mean(_accuracy(each[family]) for each in best.values()) for family in shared}
    order = sorted(shared, key=lambda family: -overall[family])
    columns = [Column("Scenario"), *(Column(f"Best of {family}") for family in order)]
    rows = [
        [Cell(_named(key, panels)), *(_quoted(each[family]) for family in order)]
        for key, each in best.items()
    ]
    yield Finding(text, Grid(f"The most accurate method of each family. {where}.", columns, rows))


def _joint(panels: Panels) -> Iterator[Finding]:
    pairs = []
    for key, rows in panels:
        joint = [row for row in rows if row["stream"] == "joint"]
        if joint and (mine := _rivals(rows)):
            pairs.append((key, max(mine, key=_accuracy), max(joint, key=_accuracy)))
    if not pairs:
        return
    gaps = [_accuracy(best) - _accuracy(joint) for _, best, joint in pairs]
    text = (
        f"The most accurate method is {_points(mean(gaps))} the best joint training on average over "
        f"{_streams(len(gaps))}, and at least level with it in {sum(gap >= 0 for gap in gaps)}."
    )
    columns = [
        Column("Scenario"),
        Column("Best method"),
        Column("Best joint training"),
        Column("Gap (points)", "number"),
    ]
    lines = [
        [Cell(_named(key, panels)), _quoted(best), _quoted(joint), Cell(f"{100 * gap:+.1f}", gap)]
        for (key, best, joint), gap in zip(pairs, gaps, strict=True)
    ]
    yield Finding(text, Grid("The best method and joint training", columns, lines))


def _small(panels: Panels) -> Iterator[Finding]:
    pairs = []
    for key, rows in panels:
        mine = [row for row in _rivals(rows) if row["carried_bytes_total"] > 0]
        if len(mine) > 1:
            best = max(mine, key=_accuracy)
            near = [row for row in mine if _accuracy(row) >= _accuracy(best) - NEAR]
            pairs.append((key, best, min(near, key=lambda row: float(row["carried_bytes_total"]))))
    if not pairs:
        return
    ratios = [best["carried_bytes_total"] / small["carried_bytes_total"] for _, best, small in pairs]
    smaller = [ratio for ratio in ratios if ratio > 1]
    if not smaller:
        return
    text = (
        f"In {len(smaller)} of {_streams(len(pairs))} a method with a smaller state comes within two points "
        f"of the best accuracy: {_rounded(median(smaller)):,g} times fewer bytes carried (median)."
    )
    columns = [Column(name) for name in ("Scenario", "Best method", "Smallest within two points")]
    lines = [
        [Cell(_named(key, panels)), *(_quoted(row, _carried(row)) for row in pair)] for key, *pair in pairs
    ]
    yield Finding(text, Grid("Accuracy and bytes carried", columns, lines))


def _future(panels: Panels) -> Iterator[Finding]:
    pairs = []
    for key, rows in panels:
        split: dict[bool, list[dict[Any, Any]]] = {True: [], False: []}
        for row in _rivals(rows):
            split[any(note.kind == "sees-future" for note in row["notes"])].append(row)
        if split[True] and split[False]:
            pairs.append((key, *(max(split[sees], key=_accuracy) for sees in (True, False))))
    if not pairs:
        return
    gaps = [_accuracy(seer) - _accuracy(fair) for _, seer, fair in pairs]
    text = (
        "Methods that read data of experiences yet to come are first in "
        f"{sum(gap > 0 for gap in gaps)} of {_streams(len(gaps))}: their best is {_points(mean(gaps))} the "
        "best of the others on average."
    )
    columns = [Column(name) for name in ("Scenario", "Best that sees the future", "Best of the others")]
    lines = [[Cell(_named(key, panels)), _quoted(seer), _quoted(fair)] for key, seer, fair in pairs]
    yield Finding(text, Grid("With and without data of later experiences", columns, lines))


def _rivals(rows: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    return [row for row in rows if row["competes"]]


def _accuracy(row: Row) -> float:
    return float(row["average_accuracy"])


def _points(gap: float) -> str:
    """Where one stands beside another, in points.

    Example:
        >>> _points(0.034), _points(-0.001), _points(0.0)
        ('3.4 points above', '0.1 points below', 'level with')
    """
    size = np.round(100 * abs(gap), 1)
    return "level with" if size == 0 else f"{size:.1f} points {'above' if gap > 0 else 'below'}"


def _rounded(value: float) -> float:
    """Two digits, as a factor needs no more."""
    return float(f"{value:.2g}")


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count} streams"


def _named(key: tuple[str, str], panels: Panels) -> str:
    """The scenario, and the encoder where there are several."""
    several = len({encoder for (_, encoder), _ in panels}) > 1
    return f"{key[0]}, {key[1]}" if several else key[0]


def _carried(row: Row) -> str:
    return readable_bytes(float(row["carried_bytes_total"]))


def _quoted(row: Row, more: str = "") -> Cell:
    numbers = [f"{percent(_accuracy(row))} %", *([more] if more else [])]
    return Cell(str(row["name"]) or NOTHING, aside=", ".join(numbers))
