"""Names of files for scenarios and runs: the same for the same run in every report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from clbench.reporting.load import RUN

_LETTERS = 100


def scenario_ids(scenarios: Iterable[str]) -> dict[str, str]:
    """For each scenario the name of its files, without a suffix."""
    names = sorted(set(scenarios))
    return dict(zip(names, _told_apart([_file_name(name, name) for name in names], names), strict=True))


def run_ids(frame: pd.DataFrame) -> list[str]:
    """For each run the name of its files, without a suffix."""
    keys = list(frame[RUN].itertuples(index=False, name=None))
    names = []
    for scenario, encoder, method, order, seed in keys:
        text = f"{scenario}-{encoder}-{method}-order{order}-seed{seed}"
        names.append(_file_name(text.replace(":", "-"), (scenario, encoder, method, order, seed)))
    return _told_apart(names, keys)


def run_label(run: Mapping[Any, Any]) -> str:
    """A run in a few words, such as ``EWC, frozen, order 0, seed 1``."""
    return f"{run['name']}, order {run['order']}, seed {run['seed']}"


def _file_name(text: str, key: Hashable) -> str:
    """``text`` in letters that every file system and address takes; what it lost shows in a hash."""
    name = re.sub(r"[^A-Za-z0-9._=-]+", "_", text)[:_LETTERS]
    return name if name == text and not name.startswith(".") else f"_{name}-{_hash(key)}"


def _told_apart(names: list[str], keys: Iterable[Hashable]) -> list[str]:
    """``names``, those with a hash that differ from others by nothing or by the case of letters alone."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name.lower()] = counts.get(name.lower(), 0) + 1
    return [
        name if counts[name.lower()] == 1 else f"{name}-{_hash(key)}"
        for name, key in zip(names, keys, strict=True)
    ]


def _hash(key: Hashable) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:10]
