"""The comparison of methods: means over seeds and orders, before any rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

PANEL = ["scenario", "encoder"]
"""The columns that name one table: methods are compared on the same data and the same encoder."""


@dataclass(frozen=True)
class Measure:
    """One measured column of the comparison.

    Attributes:
        name: The column of the comparison, and with ``_sd`` that of its standard deviation.
        source: The column of the loaded results.
        heading: What stands over it in a rendered table.
        unit: How it is rendered: shares as %, and so on.
        definition: One line under the table; without one the column is only in the CSV file.
        optional: Whether the column is left out of a table where no method has anything in it.
    """

    name: str
    source: str
    heading: str
    unit: Literal["share", "seconds", "bytes", "count", "ratio"]
    definition: str = ""
    optional: bool = False


MEASURES = (
    Measure(
        "average_accuracy",
        "metrics.average_accuracy",
        "Average accuracy (%)",
        "share",
        "mean over i of R[T, i].",
    ),
    Measure(
        "stream_accuracy",
        "stream_accuracy_last",
        "Stream accuracy (%)",
        "share",
        "accuracy on the union of all test texts after the last stage.",
    ),
    Measure(
        "macro_f1",
        "metrics.macro_f1",
        "Macro-F1 (%)",
        "share",
        "mean over i of the macro-F1 on experience i after the last stage.",
    ),
    Measure(
        "learning_accuracy",
        "metrics.learning_accuracy",
        "Learning accuracy (%)",
        "share",
        "mean over i of R[i, i].",
    ),
    Measure(
        "forgetting",
        "metrics.forgetting",
        "Forgetting (%)",
        "share",
        "mean over i < T of (max over i <= t < T of R[t, i]) - R[T, i]; lower is better, can be negative.",
    ),
    Measure("bwt", "metrics.bwt", "BWT (%)", "share", "mean over i < T of R[T, i] - R[i, i]."),
    Measure("anytime_average_accuracy", "metrics.anytime_average_accuracy", "Anytime accuracy (%)", "share"),
    Measure("fwt", "metrics.fwt", "FWT (%)", "share"),
    Measure(
        "seconds_total",
        "costs.seconds.total",
        "Total (s)",
        "seconds",
        "seconds of all phases: encoding, key initialisation, training, consolidation, evaluation.",
    ),
    Measure(
        "seconds_train", "costs.seconds.train", "Train (s)", "seconds", "seconds of the training steps alone."
    ),
    Measure(
        "carried_bytes_total",
        "costs.carried_bytes.total",
        "Carried",
        "bytes",
        "what passes from one experience to the next beyond the encoder: "
        "weights, keys, values, replay buffer, statistics.",
    ),
    Measure(
        "carried_bytes_keys",
        "costs.carried_bytes.keys",
        "Keys",
        "bytes",
        "bytes of keys: 4 x heads x keys per head x size of a key.",
        optional=True,
    ),
    Measure(
        "carried_bytes_values",
        "costs.carried_bytes.values",
        "Values",
        "bytes",
        "bytes of values: 4 x heads x keys per head x classes (or size of a key, with a parametric decoder).",
        optional=True,
    ),
    Measure(
        "dead_keys",
        "diagnostics.dead_keys",
        "Dead keys",
        "count",
        "keys, of all heads, that no training text of the stream selects.",
        optional=True,
    ),
    Measure(
        "quantisation_error",
        "diagnostics.quantisation_error",
        "Quantisation error",
        "ratio",
        "mean squared distance of queries from their key over their variance, in the last experience.",
        optional=True,
    ),
    Measure(
        "unselected_changed",
        "diagnostics.unselected_changed",
        "Unselected changed (%)",
        "share",
        "value rows that the last experience changed although none of its texts selects them.",
        optional=True,
    ),
)


def comparison_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per scenario, encoder and method; no run is dropped in silence.

    Within a scenario and encoder the joint upper bounds stand first; then the methods by falling average
    accuracy, equals by name; then those without a finished run, by name. A method that has runs elsewhere
    in ``frame``, but none here, has a row with status ``missing``.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.

    Returns:
        The columns ``scenario``, ``title``, ``encoder``, ``method``, ``notes``, ``joint``; ``status``:
        ``done`` if every run is, ``partial`` if some are, otherwise ``failed``, ``running`` or
        ``missing``; ``runs``: how many result files there are; ``n``: how many of them are done; and for
        each of :data:`MEASURES` its mean over the n done runs and its standard deviation (n - 1 in the
        denominator). NaN stands for a value that is undefined.
    """
    methods = frame.groupby("method", sort=True)
    # A method that lacks runs here is described by its runs elsewhere.
    known = {name: (_notes(rows), bool(rows["joint"].any())) for name, rows in methods}
    tables = []
    for (scenario, encoder), panel in frame.groupby(PANEL, sort=True):
        rows: list[dict[str, Any]] = []
        for method, (notes, joint) in known.items():
            runs = panel[panel["method"] == method]
            rows.append(
                {
                    "scenario": scenario,
                    "title": panel["title"].iloc[0],
                    "encoder": encoder,
                    "method": method,
                    "notes": _notes(runs) if len(runs) else notes,
                    "joint": bool(runs["joint"].any()) if len(runs) else joint,
                    **_measure(runs),
                }
            )
        table = pd.DataFrame(rows)
        rank = pd.DataFrame(
            {
                "without": table["n"] == 0,
                "stream": ~table["joint"],
                "loss": -table["average_accuracy"],
                "method": table["method"],
            }
        ).sort_values(["without", "stream", "loss", "method"])
        tables.append(table.loc[rank.index])
    return pd.concat(tables, ignore_index=True)


def _measure(runs: pd.DataFrame) -> dict[str, Any]:
    done = runs[runs["status"] == "done"]
    row: dict[str, Any] = {"status": _status(runs), "runs": len(runs), "n": len(done)}
    for measure in MEASURES:
        row[measure.name] = float(done[measure.source].mean())
        row[f"{measure.name}_sd"] = float(done[measure.source].std(ddof=1))
    return row


def _status(runs: pd.DataFrame) -> str:
    statuses = set(runs["status"])
    if not statuses:
        return "missing"
    if "done" in statuses:
        return "done" if len(statuses) == 1 else "partial"
    return "failed" if "failed" in statuses else "running"


def _notes(runs: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted({note for notes in runs["notes"] for note in notes}))
