"""Whether the seconds of some runs compare: they do on one kind of machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clbench.reporting.formatting import plain


def machines_note(provenances: Iterable[Mapping[str, Any]]) -> str:
    """A sentence where runs are of several kinds of machines; nothing where all are of one.

    Example:
        >>> first, second = {"machine": {"processor": "A", "cores": 2}}, {"machine": {"gpu": "B"}}
        >>> machines_note([first, first])
        ''
        >>> machines_note([first, second])
        'Their seconds do not compare: the runs are of different machines (A with 2 cores; B).'
    """
    kinds = sorted({_kind(each["machine"]) for each in provenances if each.get("machine")})
    if len(kinds) < 2:
        return ""
    return f"Their seconds do not compare: the runs are of different machines ({'; '.join(kinds)})."


def _kind(machine: Mapping[str, Any]) -> str:
    if machine.get("gpu"):
        return plain(str(machine["gpu"]))
    processor = plain(str(machine.get("processor", "unknown processor")))
    return f"{processor} with {machine.get('cores', 'unknown')} cores"
