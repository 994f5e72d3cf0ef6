"""Whether the seconds of some runs compare: they do on one kind of hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clbench.reporting.formatting import plain
from clbench.reporting.load import PANEL

_SECONDS = "costs.seconds."


def hardware(provenance: Mapping[str, Any]) -> str:
    """The GPU of a run, or else its processor and cores; empty where its file does not say.

    Example:
        >>> hardware({"machine": {"processor": "A", "cores": 2}}), hardware({"machine": {"gpu": "B"}})
        ('A with 2 cores', 'B')
    """
    machine = provenance.get("machine") or {}
    if gpu := machine.get("gpu"):
        return plain(str(gpu))
    cores = f" with {machine['cores']} cores" if machine.get("cores") else ""
    return plain(str(machine["processor"])) + cores if machine.get("processor") else ""


def on_several(frame: pd.DataFrame, by: Sequence[str] = (*PANEL, "method")) -> pd.Series:
    """For each run, whether the finished runs of its group are known to be of several kinds of hardware.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        by: The columns of it whose equal values make a group; without others, the runs behind one mean.
    """
    kinds = frame["provenance"].map(hardware).where(frame["status"] == "done")
    return kinds.mask(kinds == "").groupby([frame[name] for name in by]).transform("nunique") > 1


def with_comparable_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """The same results, without the seconds of methods whose mean would be over several kinds of hardware."""
    columns = [name for name in frame if str(name).startswith(_SECONDS)]
    mixed = on_several(frame)
    return frame.assign(**{str(name): frame[name].mask(mixed) for name in columns})


def machines_note(frame: pd.DataFrame) -> str:
    """A sentence where runs are of several kinds of hardware; nothing where all are of one.

    Example:
        >>> first, second = {"machine": {"processor": "A", "cores": 2}}, {"machine": {"gpu": "B"}}
        >>> machines_note(pd.DataFrame({"provenance": [first, first]}))
        ''
        >>> machines_note(pd.DataFrame({"provenance": [first, second]}))
        'Their seconds do not compare: the runs are of different machines (A with 2 cores; B).'
    """
    kinds = sorted(set(frame["provenance"].map(hardware)) - {""})
    if len(kinds) < 2:
        return ""
    return f"Their seconds do not compare: the runs are of different machines ({'; '.join(kinds)})."
