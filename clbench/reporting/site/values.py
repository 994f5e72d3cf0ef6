"""Values of result files as text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from clbench.reporting.formatting import Unit, rounded
from clbench.reporting.tables.cells import NOTHING


def in_unit(value: float, unit: Unit) -> str:
    """A measured value in the unit of its column; a heading says what shares and seconds are in.

    Example:
        >>> in_unit(0.1234, "share"), in_unit(2048, "bytes"), in_unit(104604, "count")
        ('12.3', '2.0 KiB', '104,604')
    """
    if math.isnan(value):
        return NOTHING
    if unit == "count":
        return f"{value:,.0f}"
    (number,), suffix = rounded([value], unit)
    return number + suffix


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The entries of nested mappings with their path as key, and their values as text.

    Example:
        >>> list(flat({"seed": 0, "arguments": {"heads": [1, 2], "top": None}}))
        [('seed', '0'), ('arguments.heads', '1, 2'), ('arguments.top', 'none')]
    """
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        else:
            yield name, text(value)


def text(value: Any) -> str:
    """Any value of a JSON file, with lists of plain values as enumerations, and objects as their values.

    Example:
        >>> text([{"kind": "deviation", "text": "keys move"}, {"kind": "sees-future", "text": ""}])
        'deviation: keys move; sees-future'
    """
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(text, value))
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return "; ".join(": ".join(filter(None, map(text, each.values()))) for each in value)
    return json.dumps(value)


def short(value: Any) -> str:
    """A value in a table: numbers with four significant digits.

    Example:
        >>> short(0.000123456), short(26468)
        ('0.0001235', '26,468')
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def number(value: Any) -> float:
    """What a cell is sorted by; NaN where it is no number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.nan


def shade(share: float) -> int:
    """The tenth of a share, 0 to 10, that colors its cell.

    Example:
        >>> shade(0.0), shade(0.449), shade(1.0), shade(-0.2)
        (0, 4, 10, 0)
    """
    return round(10 * min(1.0, max(0.0, share)))
