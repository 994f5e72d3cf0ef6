"""Checks the content of a result file when it is read: each error names the file and the key."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from clbench.core import language_result
from clbench.core.config import RunConfig
from clbench.core.errors import UserError, printable
from clbench.core.ranges import ranges_of
from clbench.core.result_fields import KEY_USE, ORDER, RULES
from clbench.core.result_paths import result_text
from clbench.core.result_schema import SCHEMA, migrated
from clbench.core.scenario import Protocol

RANGES = ("between 0 and 1",)
"""Of the tests, those that numbers of long lists must pass."""
COLUMNS = 10_000
"""Output columns of a result: its confusion counts are made into matrices of that side."""
TOLERANCE = 1e-6
"""The rounding of an average accuracy."""
DEPTH = 20
"""Levels of nested lists and objects that a result file may have."""

_TESTS: Mapping[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "a text with letters": lambda value: isinstance(value, str) and bool(value.strip()),
    "a whole number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    str(ORDER): lambda value: type(value) in (int, str) and ORDER.allows(str(value)),
    "true or false": lambda value: isinstance(value, bool),
    "a number": lambda value: _is_number(value),
    "between 0 and 1": lambda value: 0 <= value <= 1,
    "between -1 and 1": lambda value: -1 <= value <= 1,
    "a number of at least 0": lambda value: _is_number(value) and value >= 0,
    "an object": lambda value: isinstance(value, dict),
    "a list": lambda value: isinstance(value, list),
    "a list of texts": lambda value: isinstance(value, list) and all(isinstance(x, str) for x in value),
    "a whole number of at least 0": lambda value: _is_number(value) and value >= 0 and value % 1 == 0,
    "a list of numbers": lambda value: isinstance(value, list) and all(map(_is_number, value)),
    "a list of objects": lambda value: isinstance(value, list) and all(isinstance(x, dict) for x in value),
}


def checked(path: Path) -> dict[str, Any]:
    """The content of a result file in the current schema.

    Raises:
        UserError: It is not a result file, or a value in it is missing or invalid.
    """
    try:
        content = json.loads(result_text(path), parse_constant=_refuse_constant, object_pairs_hook=_object)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        for name, value in content.items():
            if "confusion" not in name:  # by far the largest part; _check_confusion is faster
                _check_values(value, name, DEPTH)
        _check(content.get("schema"), "schema", "a whole number", required=True)
        content = migrated(content)
        for rule, wanted in RULES.items():
            *above, last = rule.rstrip("!").split(".")
            elements = last == "[]" and wanted in RANGES
            for key, value in _found(content, above if elements else [*above, last]):
                # Numbers by the million: only those of a list with a wrong one are looked at one by one.
                if not elements:
                    _check(value, key, wanted, required=rule.endswith(("!", "[]")))
                elif value and not all(map(_TESTS[str(wanted)], value)):
                    for each in value:
                        _check(each, key, wanted, required=True)
            if rule == "schema!" and content["schema"] != SCHEMA:
                known = f"this version of clbench reads schema {SCHEMA}"
                raise ValueError(f"schema is {content['schema']}, but {known}")
        _check_whole({name: value for name, value in content.items() if value is not None})
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{path} is not a result file: {printable(' '.join(reason.split()))[:120]}"
        ) from error
    return content


def _found(value: Any, parts: Sequence[str], key: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that a rule is about, with its key; None where it is absent."""
    if not parts:
        yield key.lstrip("."), value
    elif parts[0] == "[]":
        for one in value or ():
            yield from _found(one, parts[1:], key)
    elif parts[0] in ("*", "**"):
        for name, one in (value or {}).items():
            deeper = parts[0] == "**" and isinstance(one, dict)
            yield from _found(one, parts if deeper else parts[1:], f"{key}.{name}")
    else:
        yield from _found((value or {}).get(parts[0]), parts[1:], f"{key}.{parts[0]}")


def _check(value: Any, key: str, wanted: str | tuple[str, ...], *, required: bool) -> None:
    if value is None:
        if required:
            raise ValueError(f"{key} is missing")
    elif isinstance(wanted, tuple):
        if value not in wanted:
            raise ValueError(f"{key} is '{value}', not one of {', '.join(wanted)}")
    elif not _TESTS[wanted](value):
        number = (
            f"{value}, "
            if _is_number(value) and wanted.startswith(("between", "a number of", "a whole number of"))
            else ""
        )
        raise ValueError(f"{key} is {number}not {wanted}")


def _check_whole(content: Mapping[str, Any]) -> None:
    """What several values have to do with each other."""
    done = content["status"] == "done" and not language_result.is_language(content["config"])
    if language_result.is_language(content["config"]):
        language_result.check(content)
    if done and content.get("metrics", {}).get("average_accuracy") is None:
        raise ValueError("status is 'done', but metrics.average_accuracy is missing")
    if done and len(content.get("experiences", ())) < len(content.get("accuracy", ())):
        raise ValueError("experiences has fewer entries than accuracy has rows")
    for name, allowed in {**ranges_of(Protocol), **ranges_of(RunConfig)}.items():
        value = content["config"].get(name)
        if value is not None and not (_is_number(value) and allowed.allows(value)):
            raise ValueError(f"config.{name} is {value!r:.40}, not {allowed}")
    for note in content["config"].get("notes") or ():
        if unknown := note.keys() - {"kind", "text"}:
            raise ValueError(f"config.notes has a note with '{min(unknown)}' besides kind and text")
    accuracy, macro_f1, stream = (
        content.get(name, []) for name in ("accuracy", "macro_f1", "stream_accuracy")
    )
    if not len(accuracy) == len(macro_f1) == len(stream):
        raise ValueError("accuracy, macro_f1 and stream_accuracy differ in their number of stages")
    rows = [*accuracy, *macro_f1, *filter(None, [content.get("untrained_accuracy")])]
    if len(set(map(len, rows))) > 1:
        raise ValueError("rows of accuracy, macro_f1 and untrained_accuracy differ in length")
    if rows and len(accuracy) > len(rows[0]):
        raise ValueError(f"accuracy has {len(accuracy)} rows, more than its {len(rows[0])} experiences")
    if not all(rows):
        raise ValueError("accuracy, macro_f1 or untrained_accuracy has an empty row")
    if done:
        _check_average(accuracy, content["metrics"]["average_accuracy"])
    if "confusion" in content and len(content["confusion"]) != len(stream):
        raise ValueError("confusion and accuracy differ in their number of stages")
    columns = len(content["config"].get("columns") or ())
    if columns > COLUMNS:
        raise ValueError(f"config.columns has {columns} entries; at most {COLUMNS} are read")
    _check_confusion("untrained_confusion", content.get("untrained_confusion"), rows, columns)
    for stage in content.get("confusion", ()):
        _check_confusion("confusion", stage, rows, columns)
    entries = content.get("diagnostics", {}).get("experiences") or ()
    for place, entry in enumerate(each for each in entries if "overlap" in each):
        for name in (*KEY_USE, "overlap"):
            if entry.get(name) is None:
                raise ValueError(f"diagnostics.experiences.{name} is missing")
        if len(entry["overlap"]) != place:
            raise ValueError("diagnostics.experiences.overlap has not one value for each earlier experience")


def _check_average(accuracy: Sequence[Sequence[float]], average: float) -> None:
    if not accuracy:
        raise ValueError("status is 'done', but accuracy has no rows")
    last = sum(accuracy[-1]) / len(accuracy[-1])
    if abs(last - average) > TOLERANCE:
        raise ValueError(
            f"metrics.average_accuracy is {average:.4f}, and the mean of the last row of accuracy {last:.4f}"
        )


def _check_confusion(name: str, stage: Any, rows: Sequence[Sequence[float]], columns: int) -> None:
    """Confusion counts of a stage: ``[true, predicted, count]`` of some cells, for each experience."""
    if stage is None and name == "untrained_confusion":
        return
    if not isinstance(stage, list) or any(len(stage) != len(row) for row in rows):
        raise ValueError(f"{name} has not one list of counts for each experience")
    for cells in stage:
        try:
            counts = np.array(cells)
        except ValueError:  # lists of different lengths
            counts = np.empty(0)
        if counts.ndim != 2 or counts.shape[1] != 3 or counts.dtype.kind != "i" or counts.min() < 0:
            raise ValueError(f"{name} is not lists of [true, predicted, count]")
        if counts[:, :2].max() >= columns:
            raise ValueError(f"{name} has a column beyond the {columns} of config.columns")


def _check_values(value: Any, name: str, depth: int) -> None:
    """Numbers are finite as floats, texts are valid Unicode, and nothing is nested deeper than ``depth``."""
    if not depth:
        raise ValueError(f"{name[:80]} is nested deeper than {DEPTH} levels")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_values(key, name, depth)
            _check_values(each, f"{name}.{key}", depth - 1)
    elif isinstance(value, list):
        if not _all_finite(value):
            for each in value:
                _check_values(each, name, depth - 1)
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{name!a} has text that is not valid Unicode")
    elif isinstance(value, int | float) and abs(value) > sys.float_info.max:
        raise ValueError(f"{name} is not a finite number")


def _all_finite(values: list[Any]) -> bool:
    """Whether all are finite floats: fast, for the millions that there can be."""
    return set(map(type, values)) == {float} and all(map(math.isfinite, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for at, (name, _) in enumerate(pairs) if name in dict(pairs[:at]))
        raise ValueError(f"the key '{twice}' is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
