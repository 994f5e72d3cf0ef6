"""Tuned hyperparameters of methods on scenarios, and how they were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clbench.core.errors import UserError
from clbench.core.io import read_yaml, write_text

MATCH = ("encoder", "scenario", "baseline", "tuning", "joint", "given")
"""The keys of an entry that identify it; ``given`` are the arguments that were not searched."""
HEADER = """\
# Values that 'clbench tune' found, on validation texts of the first experiences, with the same number of
# trials for each method. 'given' are arguments that were not searched, 'found' says how the others were.
"""


def read_settings(path: Path) -> list[dict[str, Any]]:
    """The entries of a settings file.

    Raises:
        UserError: It is not there, not YAML, or an entry lacks a key.
    """
    entries = read_yaml(path, "settings")
    if not isinstance(entries, list):
        raise UserError(f"settings {path}: a list of entries is wanted")
    for at, entry in enumerate(entries):
        for key in (*MATCH, "values"):
            if not isinstance(entry, dict) or key not in entry:
                raise UserError(f"settings {path}, entry {at + 1}: no '{key}'")
    return entries


def write_settings(path: Path, entry: Mapping[str, Any]) -> None:
    """Writes an entry into a settings file; it replaces the entry with the same keys."""
    entries = read_settings(path) if path.exists() else []
    others = [each for each in entries if _place(each) != _place(entry)]
    ordered = sorted([*others, dict(entry)], key=_place)
    write_text(path, HEADER + yaml.safe_dump(ordered, sort_keys=False, width=110))


def tuned(
    entries: Sequence[Mapping[str, Any]], method: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The options of a run, completed with tuned values; options that are given keep their values.

    Args:
        entries: Of a settings file.
        method: Options with at least ``encoder``, ``scenario``, ``baseline`` and ``tuning``.

    Returns:
        The options, and the names of the values that came from the entry.
    """
    given = dict(method.get("arguments", {}))
    wanted = {**method, "joint": bool(method.get("joint")), "given": given}
    for entry in entries:
        if all(entry[key] == wanted[key] for key in MATCH):
            values = dict(entry["values"])
            searched = values.pop("arguments", {})
            names = {*searched, *(set(values) - set(method))}
            return {**values, **method, "arguments": {**searched, **given}}, tuple(sorted(names))
    return dict(method), ()


def _place(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry[key]) for key in MATCH)
