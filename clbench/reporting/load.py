"""Result files, read into one table with one row per run."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn

import pandas as pd

from clbench.core.errors import UserError
from clbench.core.metrics import METRICS
from clbench.core.result_schema import SCHEMA, migrated

STATUSES = ("running", "done", "failed")
RUN = ["scenario", "encoder", "method", "order", "seed"]
"""The columns that name one run."""
PANEL = ["scenario", "encoder"]
"""The columns that name one table: methods are compared on the same data and the same encoder."""

_COSTS = {
    "seconds": ("encode", "keys", "train", "consolidate", "evaluate", "total"),
    "flops": ("algorithm", "spent"),
    "parameters": ("trainable", "total", "changed_per_step"),
    "carried_bytes": ("weights", "keys", "values", "buffer", "statistics", "total"),
    "peak_bytes": ("rss", "cuda"),
}
DIAGNOSTICS = ("dead_keys", "quantization_error", "unselected_changed")
"""What is taken from a method's diagnostics after its last experience."""
KEY_USE = ("keys_in_use", "dead_keys", "perplexity")
"""What is taken from a method's diagnostics after each experience."""
_KINDS: dict[type | UnionType, str] = {
    str: "a text",
    int: "a whole number",
    int | str: "a whole number or a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def load_results(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """One row per run, sorted by scenario, encoder, method, order and seed.

    Args:
        paths: One or more result files, globs, or folders, in which every ``order*-seed*.json`` at any depth
            is one.

    Returns:
        The columns ``scenario``, ``title``, ``encoder``, ``method``, ``order`` (str), ``seed``, ``joint``,
        ``notes`` (tuple of str), ``status``, ``error`` and ``path``; ``metrics.<name>`` and
        ``costs.<group>.<name>`` as float, NaN where the file has null or nothing, among them
        ``costs.seconds.train_per_epoch``, the mean over experiences; ``stream_accuracy_last``;
        ``diagnostics.<name>`` after the last experience, likewise; ``key_use.<name>`` after each experience
        and ``key_use.overlap`` with each one before it, empty for methods without keys; and as they stand in
        the file
        ``accuracy`` and ``macro_f1`` (S rows of T), ``stream_accuracy`` (S), ``experience_names``,
        ``experiences`` (a mapping for each), ``diagnostics``, ``config`` and ``provenance``.

    Raises:
        UserError: A path that does not exist, a file that is not a result, the same run twice, or no
            result at all.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    files = {path.resolve(): path for text in map(str, paths) for path in _files(text)}
    if not files:
        raise UserError("no result files given")
    frame = pd.DataFrame([_row(path) for path in files.values()])
    _refuse_twice(frame)
    _refuse_lengths(frame)
    return frame.sort_values(RUN, ignore_index=True)


def _files(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = sorted(path.rglob("order*-seed*.json"))
    elif path.exists():
        found = [path]
    elif glob.has_magic(text):
        # Path.glob takes no absolute pattern
        found = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
    else:
        raise UserError(f"{text}: no such file or folder; a result file or a folder of them is wanted")
    if not found:
        raise UserError(f"{text}: no result files (order<k>-seed<s>.json) there")
    return found


def _refuse_twice(frame: pd.DataFrame) -> None:
    """A run that counts twice would pass for two seeds."""
    paths: dict[Hashable, str] = {}
    for run, path in zip(frame[RUN].itertuples(index=False, name=None), frame["path"], strict=True):
        if run in paths:
            raise UserError(f"{path} is the same run as {paths[run]}; give only one of them")
        paths[run] = path


def _refuse_lengths(frame: pd.DataFrame) -> None:
    """Finished streams of one scenario have one length, or their mean would mix different things."""
    streams = frame[(frame["status"] == "done") & ~frame["joint"]]
    lengths = streams["stream_accuracy"].map(len)
    first = lengths.groupby(streams["scenario"]).transform("first")
    if (lengths != first).any():
        path = streams.loc[lengths != first, "path"].iloc[0]
        raise UserError(f"{path} has another number of stages than other runs of its scenario")


def _row(path: Path) -> dict[str, Any]:
    result = _File(path)
    schema = result.get("schema", kind=int)
    if schema != SCHEMA:
        result.refuse(f"schema is {schema}, but this version of clbench reads schema {SCHEMA}")
    status = result.get("status", kind=str)
    if status not in STATUSES:
        result.refuse(f"status is '{status}', not one of {', '.join(STATUSES)}")
    scenario = result.get("config", "scenario", kind=str)
    row: dict[str, Any] = {
        "scenario": scenario,
        "title": result.get("config", "title", kind=str, default=scenario),
        "encoder": result.get("config", "encoder", kind=str),
        "method": result.get("config", "method", kind=str),
        "order": str(result.get("config", "order", kind=int | str)),
        "seed": result.get("config", "seed", kind=int),
        "joint": result.get("config", "joint", kind=bool, default=False),
        "notes": tuple(str(note) for note in result.get("config", "notes", kind=list, default=[])),
        "status": status,
        "error": result.get("error", kind=str, default=""),
        "path": path.as_posix(),
    }
    for name in METRICS:
        row[f"metrics.{name}"] = result.number("metrics", name)
    for group, names in _COSTS.items():
        for name in names:
            row[f"costs.{group}.{name}"] = result.number("costs", group, name)
    for name in ("accuracy", "macro_f1"):
        row[name] = [result.numbers(line, name) for line in result.get(name, kind=list, default=[])]
    row["stream_accuracy"] = result.numbers(
        result.get("stream_accuracy", kind=list, default=[]), "stream_accuracy"
    )
    row["stream_accuracy_last"] = row["stream_accuracy"][-1] if row["stream_accuracy"] else math.nan
    diagnoses = result.get("diagnostics", "experiences", kind=list, default=[])
    last = diagnoses[-1] if diagnoses and isinstance(diagnoses[-1], dict) else {}
    for name in DIAGNOSTICS:
        row[f"diagnostics.{name}"] = result.numbers([last.get(name, math.nan)], f"diagnostics.{name}")[0]
    row |= {f"key_use.{name}": each for name, each in _key_use(result, diagnoses).items()}
    if not len(row["accuracy"]) == len(row["macro_f1"]) == len(row["stream_accuracy"]):
        result.refuse("accuracy, macro_f1 and stream_accuracy differ in their number of stages")
    experiences = result.get("experiences", kind=list, default=[])
    if not all(isinstance(one, dict) for one in experiences):
        result.refuse("experiences is not a list of objects")
    row["costs.seconds.train_per_epoch"] = _epoch_seconds(result, experiences)
    row["experience_names"] = [str(one.get("name", "")) for one in experiences]
    row["experiences"] = experiences
    row["diagnostics"] = result.get("diagnostics", kind=dict, default={})
    row["config"] = result.get("config", kind=dict)
    row["provenance"] = result.get("provenance", kind=dict, default={})
    if status == "done" and math.isnan(row["metrics.average_accuracy"]):
        result.refuse("status is 'done', but metrics.average_accuracy is missing")
    return row


def _epoch_seconds(result: _File, experiences: list[dict[str, Any]]) -> float:
    """Seconds of training per epoch, mean over the experiences that tell; NaN where none does."""
    seconds = [one.get("seconds") for one in experiences]
    told = [each.get("train_per_epoch") for each in seconds if isinstance(each, dict)]
    values = result.numbers(
        [each for each in told if each is not None], "experiences.seconds.train_per_epoch"
    )
    return sum(values) / len(values) if values else math.nan


def _key_use(result: _File, diagnoses: list[Any]) -> dict[str, list[Any]]:
    """What the diagnostics tell of keys, a value per experience, and the overlap, a list per experience."""
    told = [each for each in diagnoses if isinstance(each, dict) and "overlap" in each]
    use: dict[str, list[Any]] = {
        name: [result.numbers([each.get(name)], f"diagnostics.{name}")[0] for each in told]
        for name in KEY_USE
    }
    use["overlap"] = [result.numbers(each["overlap"], "diagnostics.overlap") for each in told]
    if any(len(row) != place for place, row in enumerate(use["overlap"])):
        result.refuse("diagnostics.overlap has not one value for each earlier experience")
    return use


class _File:
    """A result file whose values are checked as they are taken out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.content = json.loads(path.read_text(encoding="utf-8"), parse_constant=self._constant)
        except (OSError, ValueError, RecursionError) as error:
            self.refuse(" ".join(str(error).split()))
        if not isinstance(self.content, dict):
            self.refuse("not a JSON object")
        self.content = migrated(self.content)

    def refuse(self, reason: str) -> NoReturn:
        raise UserError(f"{self.path} is not a result file: {reason}")

    def get(self, *keys: str, kind: type | UnionType, default: Any = None) -> Any:
        """The value under nested ``keys``; null and absent give ``default``, or an error without one."""
        value: Any = self.content
        for depth, key in enumerate(keys):
            if not isinstance(value, Mapping):
                self.refuse(f"{'.'.join(keys[:depth])} is not an object")
            value = value.get(key)
            if value is None:
                if default is None:
                    self.refuse(f"{'.'.join(keys[: depth + 1])} is missing")
                return default
        # bool is a subclass of int, but no number
        if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
            self.refuse(f"{'.'.join(keys)} is not {_KINDS[kind]}")
        return value

    def number(self, *keys: str) -> float:
        """The number under ``keys``, NaN where there is none."""
        value = self.get(*keys, kind=object, default=math.nan)
        return self.numbers([value], ".".join(keys))[0]

    def numbers(self, values: Any, name: str) -> list[float]:
        if not isinstance(values, list):
            self.refuse(f"{name} is not a list of numbers")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.refuse(f"{name} is not a number")
        return [float(value) for value in values]

    def _constant(self, name: str) -> NoReturn:
        raise ValueError(f"{name} is not a number in JSON")
