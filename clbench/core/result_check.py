"""Checks the content of a result file when it is read: each error names the file and the key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, get_args

from clbench.core.errors import UserError
from clbench.core.notes import NOTE_KINDS
from clbench.core.result_schema import SCHEMA, migrated
from clbench.core.types import StreamKind

STATUSES = ("running", "done", "failed")
SHARES = ("average_accuracy", "anytime_average_accuracy", "learning_accuracy", "macro_f1")
"""The metrics that are between 0 and 1."""
KEY_USE = ("keys_in_use", "dead_keys", "perplexity")
"""The diagnostics of an experience that stand beside ``overlap``: numbers."""
KEY_ERRORS = ("quantization_error", "unselected_changed")
"""Diagnostics of an experience that need not be there: numbers."""
_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}


def checked(path: Path) -> dict[str, Any]:
    """The content of a result file in the current schema.

    Raises:
        UserError: It is not a result file, or a value in it is missing or invalid.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        content = migrated(content)
        _check(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a result file: {' '.join(str(error).split())}") from error
    return content


def _check(content: Mapping[str, Any]) -> None:
    schema = _value(content, "schema", int)
    if schema != SCHEMA:
        raise ValueError(f"schema is {schema}, but this version of clbench reads schema {SCHEMA}")
    status = _one_of(content, "status", STATUSES)
    _value(content, "error", str, "")
    _value(content, "provenance", dict, {})
    _check_config(_value(content, "config", dict))
    stages = _check_accuracies(content)
    measured = _value(content, "metrics", dict, {})
    for name, value in measured.items():
        if value is not None:
            _number(value, f"metrics.{name}", share=name in SHARES)
    if status == "done" and measured.get("average_accuracy") is None:
        raise ValueError("status is 'done', but metrics.average_accuracy is missing")
    confusion = _value(content, "confusion", list, [])
    if confusion and len(confusion) != stages:
        raise ValueError("confusion and accuracy differ in their number of stages")
    _check_numbers(_value(content, "costs", dict, {}), "costs")
    _check_experiences(content)
    _check_diagnostics(content)


def _check_config(config: Mapping[str, Any]) -> None:
    for name in ("scenario", "encoder", "method"):
        _value(config, name, str, where="config")
    _value(config, "title", str, "", where="config")
    _value(config, "seed", int, where="config")
    order = config.get("order")
    if order is None:
        raise ValueError("config.order is missing")
    if isinstance(order, bool) or not isinstance(order, int | str):
        raise ValueError("config.order is not a whole number or a text")
    _one_of(config, "stream", get_args(StreamKind), where="config")
    for note in _value(config, "notes", list, [], where="config"):
        if not isinstance(note, dict):
            raise ValueError("config.notes is not a list of objects")
        _one_of(note, "kind", NOTE_KINDS, where="config.notes")
        if unknown := note.keys() - {"kind", "text"}:
            raise ValueError(f"config.notes has a note with '{min(unknown)}' besides kind and text")
        _value(note, "text", str, "", where="config.notes")


def _check_accuracies(content: Mapping[str, Any]) -> int:
    """Checks what has a value per stage or experience; returns the number of stages."""
    matrices = [_value(content, name, list, []) for name in ("accuracy", "macro_f1")]
    for name, matrix in zip(("accuracy", "macro_f1"), matrices, strict=True):
        for row in matrix:
            _numbers(row, name, share=True)
    stream = _value(content, "stream_accuracy", list, [])
    _numbers(stream, "stream_accuracy", share=True)
    if not len(matrices[0]) == len(matrices[1]) == len(stream):
        raise ValueError("accuracy, macro_f1 and stream_accuracy differ in their number of stages")
    untrained = _value(content, "untrained_accuracy", list, [])
    _numbers(untrained, "untrained_accuracy", share=True)
    rows = [*matrices[0], *matrices[1], *([untrained] if untrained else [])]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows of accuracy, macro_f1 and untrained_accuracy differ in length")
    return len(stream)


def _check_experiences(content: Mapping[str, Any]) -> None:
    for one in _value(content, "experiences", list, []):
        if not isinstance(one, dict):
            raise ValueError("experiences is not a list of objects")
        seconds = one.get("seconds")
        if isinstance(seconds, dict) and seconds.get("train_per_epoch") is not None:
            _number(seconds["train_per_epoch"], "experiences.seconds.train_per_epoch")


def _check_diagnostics(content: Mapping[str, Any]) -> None:
    entries = _value(_value(content, "diagnostics", dict, {}), "experiences", list, [], where="diagnostics")
    overlaps = 0
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError("diagnostics.experiences is not a list of objects")
        for name in (*KEY_USE, *KEY_ERRORS):
            if name in entry or (name in KEY_USE and "overlap" in entry):
                _number(entry.get(name), f"diagnostics.{name}")
        if "overlap" in entry:
            _numbers(entry["overlap"], "diagnostics.overlap")
            if len(entry["overlap"]) != overlaps:
                raise ValueError("diagnostics.overlap has not one value for each earlier experience")
            overlaps += 1


def _value(values: Mapping[str, Any], name: str, kind: type, default: Any = None, *, where: str = "") -> Any:
    """The value of a key; null and absent give ``default``, or an error without one."""
    key = f"{where}.{name}" if where else name
    value = values.get(name)
    if value is None:
        if default is None:
            raise ValueError(f"{key} is missing")
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is not {_KINDS[kind]}")
    return value


def _one_of(values: Mapping[str, Any], name: str, known: tuple[str, ...], *, where: str = "") -> str:
    value: str = _value(values, name, str, where=where)
    if value not in known:
        key = f"{where}.{name}" if where else name
        raise ValueError(f"{key} is '{value}', not one of {', '.join(known)}")
    return value


def _numbers(values: Any, name: str, *, share: bool = False) -> None:
    if not isinstance(values, list):
        raise ValueError(f"{name} is not a list of numbers")
    for value in values:
        _number(value, name, share=share)


def _number(value: Any, name: str, *, share: bool = False) -> None:
    # A bool is an int for Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    if share and not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, not between 0 and 1")


def _check_numbers(values: Mapping[str, Any], name: str) -> None:
    """Every value of nested objects is a number or null."""
    for key, value in values.items():
        if isinstance(value, dict):
            _check_numbers(value, f"{name}.{key}")
        elif value is not None:
            _number(value, f"{name}.{key}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
