"""The rows of a file as texts and labels: one behavior for all forms of data."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clbench.core.data_source import COLUMNS, DataSource
from clbench.core.errors import UserError

REQUIRED = ("text", "label")  # the other columns may be absent or null
_HALF = re.compile("[\ud800-\udfff]")
_BAD = re.compile("[\0\ud800-\udfff]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

Place = Callable[[int], str]
"""Says where a row is, such as ``train.csv, line 7``."""


@dataclass(frozen=True)
class Raw:
    """The rows of one split as they are in the data.

    Attributes:
        columns: By their names in the data, the values of the columns that were asked for and that are there.
        known: The names of all columns.
        place: Where a row is.
    """

    columns: Mapping[str, Sequence[Any]]
    known: Sequence[str]
    place: Place


@dataclass(frozen=True)
class Split:
    """The checked rows of one split: the columns as texts, where each row is, and how many were left out."""

    columns: dict[str, list[str | None]]
    place: Place
    dropped: int = 0


def refuse_twice(names: Iterable[str], wanted: Iterable[str], where: str) -> None:
    """Refuses columns of which it is open what to read; those that are not read can have equal names.

    Raises:
        UserError: One of ``wanted`` is there twice.
    """
    counts = Counter(names)
    twice = next((name for name in wanted if counts[name] > 1), None)
    if twice is not None:
        raise UserError(f"{where}: '{twice}' is there twice")


def checked(raw: Raw, source: DataSource, what: str, *, labeled: bool) -> Split:
    """The rows as texts.

    Whole numbers and booleans are labels (and domains): ``7`` is "7", ``true`` is "true".

    Args:
        raw: The rows.
        source: Names the columns, and says what becomes of empty texts.
        what: The file or split, for error messages.
        labeled: Whether there are other columns than ``text``.

    Raises:
        UserError: A value is missing, of another type, or has a NUL or half a character pair; the first such
            row is named.
    """
    columns = {name: _column(raw, source, name) for name in (COLUMNS if labeled else ("text",))}
    texts = columns["text"]
    if not texts:
        raise UserError(f"{what} has no examples")
    if source.pinned:
        return Split(columns, raw.place)
    empty = {at for at, text in enumerate(texts) if not text or not text.strip()}
    if not empty:
        return Split(columns, raw.place)
    if source.empty_texts == "refuse":
        raise UserError(
            f"{raw.place(min(empty))}: '{source.key('text')}' is empty or white space, as in {len(empty)} of "
            f"{len(texts)} rows; the key 'empty_texts: drop' leaves them out"
        )
    kept = [at for at in range(len(texts)) if at not in empty]
    if not kept:
        raise UserError(f"{what} has no examples: all {len(texts)} texts are empty")
    found = {name: [values[at] for at in kept] for name, values in columns.items()}
    return Split(found, lambda at: raw.place(kept[at]), len(empty))


def _column(raw: Raw, source: DataSource, name: str) -> list[str | None]:
    key = source.key(name)
    values = raw.columns.get(key)
    if values is None:
        size = max((len(each) for each in raw.columns.values()), default=0)
        if name in REQUIRED and size:
            there = ", ".join(map(str, raw.known[:20]))
            hint = f"; there are: {there}; 'keys: {{{name}: ...}}' says which it is" if there else ""
            raise UserError(f"{raw.place(0)}: '{key}' is missing{hint}")
        return [None] * size
    found = [value if isinstance(value, str) else _text(value, name) for value in values]
    for at, text in enumerate(found):
        problem = _problem(values[at], text, name, source.pinned)
        if problem:
            raise UserError(f"{raw.place(at)}: '{key}' {problem}")
        if text == "" and name not in REQUIRED and not source.pinned:
            found[at] = None  # an empty cell of CSV
    return found


def _text(value: Any, name: str) -> str | None:
    """A number or boolean as text, where one can stand; else None."""
    if name in ("label", "domain"):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float) and math.isfinite(value):
            return str(int(value)) if value.is_integer() else repr(value)
    return None


def _problem(value: Any, text: str | None, name: str, pinned: bool) -> str | None:
    """What is wrong with a value of which ``text`` was made."""
    if text is None:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "is missing" if name in REQUIRED else None
        wanted = "a string, a number, true or false" if name in ("label", "domain") else "a string"
        return f"must be {wanted}, not {shown(value)}"
    if name == "label" and not text.strip():
        return "is empty"
    bad = _BAD.search(text)
    if bad is None or (bad[0] == "\0" and pinned and not _HALF.search(text)):
        return None
    return "has a NUL character" if bad[0] == "\0" else f"has half of a character pair (\\u{ord(bad[0]):x})"


def shown(value: Any) -> str:
    """A value in at most 40 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct names sorted: numbers by value and before texts, so that 10 comes after 2."""

    def place(name: str) -> tuple[bool, float, str]:
        number = _NUMBER.fullmatch(name) is not None
        return not number, float(name) if number else 0.0, name

    return sorted(set(names), key=place)


def lookalikes(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in white space or in upper and lower case."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups["".join(name.split()).casefold()].add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
