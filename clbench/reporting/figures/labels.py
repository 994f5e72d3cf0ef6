"""Names, titles and numbers as they stand in figures: short, on one line, and still told apart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

import pandas as pd
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator

from clbench.reporting.formatting import plain

_LETTERS = 38
_FONT = "DejaVu Sans"
"""Comes with Matplotlib, so figures are the same everywhere."""


def labels(names: Iterable[str], letters: int = _LETTERS) -> dict[str, str]:
    """For each name what stands for it in a figure; different names have different labels.

    A long name loses letters in its middle, as few more than ``letters`` as tell it from the others.

    Example:
        >>> labels(["ewc-frozen", "dkvb-update=reference-start=reference"], letters=20)
        {'dkvb-update=reference-start=reference': 'dkvb-update=…ference', 'ewc-frozen': 'ewc-frozen'}
    """
    clean: dict[str, str] = {}
    for name in sorted(set(names)):
        text = drawable(name) or "(no name)"
        # Names that differ only in characters that cannot be shown.
        numbered = (f"{text} ({number})" for number in range(2, len(clean) + 3))
        taken = set(clean.values())
        clean[name] = next(each for each in (text, *numbered) if each not in taken)
    longest = max(map(len, clean.values()), default=0)
    for limit in range(letters, longest, 4):
        short = {name: _cut(text, limit) for name, text in clean.items()}
        if len(set(short.values())) == len(short):
            return short
    return clean


def drawable(text: str) -> str:
    r"""``text`` on one line, with a replacement character for each that the font of figures lacks.

    Example:
        >>> drawable("naïve\n\u4e2d")
        'naïve �'
    """
    font = get_font(findfont(_FONT))
    return "".join(char if font.get_char_index(ord(char)) else "�" for char in plain(text))


def inches(text: str, size: float) -> float:
    """How wide ``text`` is in letters of so many points.

    Example:
        >>> inches("WW", 8) > inches("ii", 8) > 0
        True
    """
    font = get_font(findfont(_FONT))
    font.set_size(10 * size, 72)  # hinting would round the width of small letters
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64 / 72 / 10  # from 26.6 fixed point


def _cut(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    tail = (letters - 1) * 2 // 5
    return f"{text[: letters - 1 - tail]}…{text[-tail:]}"


def fold(text: str, letters: int, lines: int = 2) -> list[str]:
    """``text`` in at most so many lines of so many letters; what is left out leaves an ellipsis."""
    return textwrap.wrap(drawable(text), letters, max_lines=lines, placeholder=" …", break_on_hyphens=False)


def scenario_title(frame: pd.DataFrame, runs: pd.DataFrame, letters: int) -> list[str]:
    """The lines of the title of a scenario; its encoder too, where ``frame`` has several."""
    title = fold(runs["title"].iloc[0], letters, 3)  # scenarios of the same data differ at the end
    if frame["encoder"].nunique() > 1:
        title += fold(f"encoder {runs['encoder'].iloc[0]}", letters)
    return title


def readable(value: float, _: int | None = None) -> str:
    """A short number for an axis, with the SI prefix of its size.

    The second argument, the place of a tick, is what Matplotlib passes to its formatters.

    Example:
        >>> [readable(each) for each in (0.5, 200, 3000, 1e7, 2e15)]
        ['0.5', '200', '3k', '10M', '2P']
    """
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.10g}{unit}"
    return f"{value:.10g}"


def log_ticks(low: float, high: float) -> list[float]:
    """Up to five round numbers between two positive ones, evenly on a logarithmic axis where it is long."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1)
    for step in range(len(decades), 0, -1):
        ticks = [10.0**power for power in decades if power % step == 0 and low <= 10.0**power <= high]
        if 3 <= len(ticks) <= 5:
            return ticks
    for leading in ((1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [digit * 10.0**power for power in decades for digit in leading]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if 3 <= len(ticks) <= 5:
            return ticks
    return [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
