"""A small curve as numbers for a template: thousands of pages have one, too many for Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clbench.reporting.figures.labels import readable

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 26


@dataclass(frozen=True)
class Curve:
    """A curve of values over stages, in the units of its drawing.

    Attributes:
        points: Where each stage is.
        levels: Lines across, each with its label.
        ticks: Places of labels below, each with its label.
        width: Of the drawing.
        height: Of the drawing.
        left: Where the area of the curve begins.
        right: Where it ends.
    """

    points: list[tuple[float, float]]
    levels: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT


def curve(values: Sequence[float], top: float = 1.0) -> Curve:
    """The curve of at least two values on an axis from 0 to ``top``; shares have labels in %.

    Example:
        >>> curve([0.0, 1.0]).points
        [(40.0, 174.0), (468.0, 10.0)]
    """
    span = (WIDTH - _LEFT - _RIGHT) / (len(values) - 1)
    xs = [round(_LEFT + place * span, 1) for place in range(len(values))]
    every = -(-len(values) // 12)
    quarters = [top * quarter / 4 for quarter in range(5)]
    return Curve(
        points=[(x, _height(value / top)) for x, value in zip(xs, values, strict=True)],
        levels=[(_height(level / top), readable(100 * level if top == 1 else level)) for level in quarters],
        ticks=[(x, str(place + 1)) for place, x in enumerate(xs) if place % every == 0],
    )


def _height(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)
