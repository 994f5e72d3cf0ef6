"""Numbers with their units, rounded for readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Unit = Literal["share", "seconds", "bytes", "amount", "count", "ratio", "bits"]

_BINARY = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10))
_DECIMAL = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_DIGITS = {"share": 1, "seconds": 1, "count": 0, "ratio": 2, "bits": 3}


def percent(value: float) -> str:
    """A share as % with one decimal, without the sign of a zero."""
    return rounded([value], "share")[0][0]


def readable_bytes(value: float) -> str:
    """A number of bytes in the largest binary unit of which it has at least one.

    Example:
        >>> [readable_bytes(n) for n in (0, 1023, 1536, 3 * 2**20)]
        ['0 B', '1023 B', '1.5 KiB', '3.0 MiB']
    """
    (number,), suffix = rounded([value], "bytes")
    return number + suffix


def rounded(values: Sequence[float], unit: Unit) -> tuple[list[str], str]:
    """``values`` as texts that share one suffix, which is that of the first.

    Example:
        >>> rounded([2048, 1536, 3072], "bytes")
        (['2.0', '1.5', '3.0'], ' KiB')
        >>> rounded([1.24e12], "amount"), rounded([0.719], "share"), rounded([0.004], "seconds")
        ((['1.2'], ' T'), (['71.9'], ''), (['0.004'], ''))
    """
    suffix, size, digits = _scale(values[0], unit)
    return [f"{round(value / size, digits) + 0.0:.{digits}f}" for value in values], suffix


def _scale(value: float, unit: Unit) -> tuple[str, float, int]:
    """The suffix, what is one of it, and the decimals."""
    if unit in ("bytes", "amount"):
        base = " B" if unit == "bytes" else ""
        steps = _BINARY if unit == "bytes" else _DECIMAL
        found = [(f" {suffix}", size, 1) for suffix, size in steps if abs(value) >= size]
        return found[0] if found else (base, 1.0, 0)
    # A method without gradients trains for milliseconds.
    digits = 3 if unit == "seconds" and 0 < abs(value) < 0.1 else _DIGITS[unit]
    return "", 0.01 if unit == "share" else 1.0, digits


def count_text(done: int, total: int) -> str:
    """How many of some runs are done: ``3``, or ``2 of 3``."""
    return str(done) if done == total else f"{done} of {total}"


def plain(text: str) -> str:
    r"""``text`` on one line, without characters that steer a terminal or turn the direction of writing.

    Example:
        >>> plain("a\n b\x1b[31m")
        'a b�[31m'
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(one if one.isprintable() else "�" for one in line)
