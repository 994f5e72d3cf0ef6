"""How accuracy and costs change with the number of experiences that the same texts are divided into."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from clbench.reporting.hardware import on_several

LEAST = 3
"""So many lengths of a stream make a line."""
PHASES = ("keys", "train", "validate", "consolidate")
"""What learning consists of: encoding is done once per text, and evaluations are the protocol's."""


def by_length(frame: pd.DataFrame) -> pd.DataFrame:
    """The finished runs of streams that are there in at least three lengths, with what is to be compared.

    Streams whose names differ in a number at the end alone are one: ``clinc150-cil`` and ``clinc150-cil-30``.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.

    Returns:
        Its rows of these runs, with ``stream_name`` (without the number), ``length`` (experiences),
        ``accuracy_last`` and ``forgetting`` (shares), ``seconds_learning`` (of the stream; NaN for
        methods whose runs are of several kinds of hardware) and ``carried`` (bytes).
    """
    done = frame[(frame["status"] == "done") & (frame["stream"] == "sequential")]
    names = [re.sub(r"-\d+$", "", name) for name in done["scenario"]]
    made = done.assign(
        stream_name=names,
        length=done["experiences"].map(len),
        accuracy_last=done["metrics.average_accuracy"],
        forgetting=done["metrics.forgetting"],
        seconds_learning=[
            sum(each.get("seconds", {}).get(phase, 0.0) for each in run for phase in PHASES)
            for run in done["experiences"]
        ],
        carried=done["costs.carried_bytes.total"],
    )
    mixed = on_several(made, ["stream_name", "encoder", "method"])
    made["seconds_learning"] = made["seconds_learning"].mask(mixed)
    lengths = made.groupby(["stream_name", "encoder"])["length"].transform("nunique")
    return made[lengths >= LEAST]


def exponent(lengths: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent b of the least-squares fit of a T^b, on a logarithmic scale; NaN without positive costs.

    Example:
        >>> round(exponent([10, 20, 40], [3, 6, 12]), 6)
        1.0
    """
    values = np.asarray(costs, dtype=np.float64)
    return float(np.polyfit(np.log(lengths), np.log(values), 1)[0]) if (values > 0).all() else float("nan")


def per_doubling(lengths: Sequence[float], values: Sequence[float]) -> float:
    """The slope b of the least-squares fit of a + b log2 T.

    Example:
        >>> round(per_doubling([10, 20, 40], [0.9, 0.8, 0.7]), 6)
        -0.1
    """
    return float(np.polyfit(np.log2(lengths), np.asarray(values, dtype=np.float64), 1)[0])


def growth_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each stream, encoder and method that has finished runs of three lengths.

    Returns:
        ``stream_name``, ``encoder``, ``method``, ``lengths`` (text); what a doubling of the number of
        experiences adds to ``accuracy`` and ``forgetting`` (shares); and the exponents b of T^b with which
        ``seconds`` of learning and ``carried`` bytes grow. Fits go through means over runs of a length.
    """
    rows = []
    for (stream, encoder, method), runs in by_length(frame).groupby(["stream_name", "encoder", "method"]):
        columns = ["accuracy_last", "forgetting", "seconds_learning", "carried"]
        means = runs.groupby("length")[columns].mean()
        if len(means) < LEAST:
            continue
        lengths = list(means.index)
        rows.append(
            {
                "stream_name": stream,
                "encoder": encoder,
                "method": method,
                "lengths": ", ".join(map(str, lengths)),
                "accuracy": per_doubling(lengths, [*means["accuracy_last"]]),
                "forgetting": per_doubling(lengths, [*means["forgetting"]]),
                "seconds": exponent(lengths, [*means["seconds_learning"]]),
                "carried": exponent(lengths, [*means["carried"]]),
            }
        )
    return pd.DataFrame(rows)


def growth_text(frame: pd.DataFrame) -> str:
    """The same in lines for a terminal; empty where no stream has three lengths."""
    table = growth_table(frame)
    if table.empty:
        return ""
    columns = ["method", "accuracy", "forgetting", "seconds", "carried"]
    lines = ["Growth with the number of experiences T, same texts:"]
    for (stream, encoder, lengths), rows in table.groupby(["stream_name", "encoder", "lengths"], sort=False):
        lines.append(f"{stream}, {encoder}, T = {lengths}: per doubling of T, and exponents b of T^b")
        width = max(map(len, rows["method"]))
        lines += [
            f"  {method:<{width}}  accuracy {100 * accuracy:+5.1f}  forgetting "
            f"{100 * forgetting:+5.1f} points  seconds T^{seconds:.2f}  carried T^{round(carried, 2) + 0:.2f}"
            for method, accuracy, forgetting, seconds, carried in rows[columns].itertuples(index=False)
        ]
    return "\n".join(lines)
