"""The comparison of methods: means over seeds and orders with their intervals, before any rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from clbench.reporting.hardware import with_comparable_seconds
from clbench.reporting.load import PANEL
from clbench.reporting.measures import MEASURES, Measure
from clbench.reporting.statistics.intervals import hierarchical_interval
from clbench.reporting.statistics.simultaneous import ALPHA, worse_p

Mark = Literal["", "best", "close"]
"""``close``: not significantly worse than the best."""


def comparison_table(frame: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """One row per scenario, encoder and method, also for methods without a finished run.

    Within a scenario and encoder joint training stands first; then the methods by falling average
    accuracy, or rising bits per byte, equals by name; then those without a finished run, by name. A method
    that has runs elsewhere in ``frame``, but none here, has a row with status ``missing``.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        seed: Of the bootstrap. Each row has a generator of its own, so that an interval depends on nothing
            but its runs.

    Returns:
        The columns ``scenario``, ``title``, ``task``, ``encoder``, ``method``, ``name``, ``tuning``,
        ``notes``,
        ``stream`` and ``competes``, as :func:`~clbench.reporting.load.load_results` describes them;
        ``status``: ``done`` if every run is, ``partial`` if some are, otherwise ``failed``, ``diverged``,
        ``running`` or ``missing``;
        ``runs``: the number of result files; ``n``: how many of them are done; ``files``: their paths; and
        for each of :data:`~clbench.reporting.measures.MEASURES` its mean over the done runs that have it,
        ``_low`` and ``_high``: the 95 % interval (hierarchical bootstrap), ``_sd``: the standard deviation
        (n - 1 in the denominator), ``_n``: the number of these runs, ``_mark``: ``best``, or ``close`` if it
        is not significantly worse, ``_p``: the p-value of the test against the best, simultaneous over
        all pairs, and ``_pairs``: the number of runs in that test. An undefined value is NaN; so are the
        seconds of a method whose runs are of several kinds of hardware.
    """
    frame = with_comparable_seconds(frame)
    methods = frame.groupby("method", sort=True)
    # A method that lacks runs here is described by its runs elsewhere.
    known = {name: _described(rows) for name, rows in methods}
    tables = []
    for (scenario, encoder), panel in frame.groupby(PANEL, sort=True):
        rows: list[dict[str, Any]] = []
        own = dict(list(panel.groupby("method")))
        for method, described in known.items():
            runs = own.get(method, panel.iloc[:0])
            rows.append(
                {
                    "scenario": scenario,
                    "title": panel["title"].iloc[0],
                    "task": panel["task"].iloc[0],
                    "encoder": encoder,
                    "method": method,
                    **(_described(runs) if len(runs) else described),
                    **_measured(runs, seed),
                }
            )
        _mark(rows, panel[panel["status"] == "done"])
        table = pd.DataFrame(rows)
        rank = pd.DataFrame(
            {
                "without": table["n"] == 0,
                "stream": table["stream"] != "joint",
                "loss": (-table["average_accuracy"]).fillna(table["average_bits_per_byte"]),
                "method": table["method"],
            }
        ).sort_values(["without", "stream", "loss", "method"])
        tables.append(table.loc[rank.index])
    return pd.concat(tables, ignore_index=True)


def _described(runs: pd.DataFrame) -> dict[str, Any]:
    first = runs.iloc[0]
    return {
        "name": first["name"],
        "tuning": str(first["config"].get("tuning") or ""),
        "notes": tuple(sorted({note for notes in runs["notes"] for note in notes})),
        "stream": first["stream"],
        "competes": bool(runs["competes"].all()),
    }


def _measured(runs: pd.DataFrame, seed: int) -> dict[str, Any]:
    done = runs[runs["status"] == "done"]
    row: dict[str, Any] = {
        "status": _status(runs),
        "runs": len(runs),
        "n": len(done),
        "files": tuple(done["path"]),
    }
    values = done[[measure.source for measure in MEASURES]].to_numpy(dtype=np.float64)  # (N, Q)
    orders = done["order"].to_numpy()
    means, lows, highs, deviations = np.full((4, len(MEASURES)), np.nan)
    defined = ~np.isnan(values)
    counts = defined.sum(axis=0)
    # Measures that are defined in the same runs are drawn on the same runs.
    for these in np.unique(defined[:, counts > 0].T, axis=0):
        columns = (defined == these[:, None]).all(axis=0)
        part = values[np.ix_(these, columns)]
        found = hierarchical_interval(part, list(orders[these]), np.random.default_rng(seed))
        means[columns], lows[columns], highs[columns] = found.mean, found.low, found.high
        if found.n > 1:
            deviations[columns] = part.std(axis=0, ddof=1)
    for place, measure in enumerate(MEASURES):
        row |= {
            measure.name: float(means[place]),
            f"{measure.name}_low": float(lows[place]),
            f"{measure.name}_high": float(highs[place]),
            f"{measure.name}_sd": float(deviations[place]),
            f"{measure.name}_n": int(counts[place]),
        }
    return row


def _mark(rows: Sequence[dict[str, Any]], done: pd.DataFrame) -> None:
    """Marks the best row of one table in each measure, and those that are not significantly worse."""
    names = [row["method"] for row in rows]
    pairs = pd.MultiIndex.from_frame(done[["order", "seed"]].drop_duplicates())
    place = pairs.get_indexer(pd.MultiIndex.from_frame(done[["order", "seed"]]))
    column = pd.Index(names).get_indexer(pd.Index(done["method"]))
    for measure in MEASURES:
        values = np.full((len(pairs), len(rows)), np.nan)
        values[place, column] = done[measure.source]
        marks, p, counts = _judged(rows, measure, values)
        for row, mark, each, count in zip(rows, marks, p, counts, strict=True):
            row[f"{measure.name}_mark"], row[f"{measure.name}_p"] = mark, each
            row[f"{measure.name}_pairs"] = count


def _judged(
    rows: Sequence[dict[str, Any]], measure: Measure, values: np.ndarray
) -> tuple[list[Mark], list[float], list[int]]:
    """The mark, the p-value and the pairs of each row; ``values`` (order and seed, row) of the runs."""
    sign = -1 if measure.better == "lower" else 1
    marks: list[Mark] = [""] * len(rows)
    p, pairs = [math.nan] * len(rows), [0] * len(rows)
    means = [sign * row[measure.name] for row in rows]
    rivals = [at for at, row in enumerate(rows) if row["competes"] and not math.isnan(means[at])]
    top = max((means[at] for at in rivals), default=math.nan)
    leaders = [at for at in rivals if math.isclose(means[at], top, rel_tol=1e-12, abs_tol=1e-12)]
    # Where all are equal none is best.
    if measure.better is None or len(leaders) == len(rivals):
        return marks, p, pairs
    others = [at for at in rivals if at not in leaders]
    for at in leaders:
        marks[at] = "best"
    defined = ~np.isnan(values)
    common = defined[:, leaders[0]]  # the runs of the best; methods that lack some are not tested
    tested = [leaders[0], *(at for at in others if defined[common, at].all())]
    found = worse_p(sign * values[np.ix_(common, tested)], 0)
    for at, each in zip(tested[1:], found[1:], strict=True):
        p[at], pairs[at] = float(each), int(common.sum())
        marks[at] = "close" if each >= ALPHA else ""
    return marks, p, pairs


def _status(runs: pd.DataFrame) -> str:
    statuses = set(runs["status"])
    if not statuses:
        return "missing"
    if "done" in statuses:
        return "done" if len(statuses) == 1 else "partial"
    return next(each for each in ("failed", "diverged", "running") if each in statuses)
