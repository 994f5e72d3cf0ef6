"""The look of each method, the same in every panel of every figure.

The hue tells the kind of method, its shade and the marker which one it is, and the filling of the marker how
the encoder is tuned (full, frozen, adapter, LoRA, prompt: filled, hollow, left, lower, upper half). Methods
that share a marker differ in lightness, so figures survive gray print and color blindness.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from clbench.core.types import FAMILIES, Family

# Okabe and Ito, Color Universal Design, 2008: told apart with all common kinds of color blindness. Their
# yellow is left out, as it is too pale for lines on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE, BLACK = COLORS
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
FILLS = ("full", "none", "left", "bottom", "top")
"""Matplotlib's fill styles; the rest of a marker is white."""

# Within a kind, shades of one hue. Methods that share a marker are of different lightness.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "finetune": ("naive", BLACK, "o"),
    "seqstar": ("naive", "#9A9A9A", "o"),
    "frozenlm": ("naive", "#2E2E2E", "X"),
    "dkvb": ("bottleneck", BLUE, "D"),
    "dkvbcounts": ("bottleneck", "#00395C", "P"),
    "dkvbvalues": ("bottleneck", "#78B6EA", "D"),
    "ewc": ("penalties", VERMILION, "s"),
    "si": ("penalties", "#7F3800", "v"),
    "mas": ("penalties", ORANGE, ">"),
    "l2": ("penalties", "#A87400", "X"),
    "lwf": ("penalties", "#FF9C59", "^"),
    "replay": ("rehearsal", GREEN, "^"),
    "der": ("rehearsal", "#00563F", "<"),
    "derpp": ("rehearsal", "#5CC9A7", "o"),
    "knnlm": ("rehearsal", "#163813", ">"),
    "agem": ("rehearsal", "#8A9A00", "D"),
    "erace": ("rehearsal", "#4FA045", "P"),
    "gdumb": ("rehearsal", "#2E5E1E", ">"),
    "ncm": ("prototypes", PURPLE, "v"),
    "slda": ("prototypes", "#83305F", "s"),
    "ranpac": ("prototypes", "#E0A6C7", "P"),
    "knn": ("prototypes", "#5B2143", "o"),
    "fecam": ("prototypes", "#6F2A52", "D"),
    "loranpac": ("prototypes", "#D08AB0", "X"),
    "acil": ("prototypes", "#9C4477", "^"),
    "air": ("prototypes", "#B4558F", "<"),
    "owm": ("projections and masks", SKY, "<"),
    "hat": ("projections and masks", "#7A7A7A", ">"),
    "adapterhat": ("projections and masks", "#404040", "^"),
    "bcl": ("projections and masks", "#86B5CC", "s"),
    "ctr": ("projections and masks", "#1B5673", "X"),
    "classic": ("projections and masks", "#6E6E6E", "v"),
    "l2p": ("projections and masks", "#0F2834", "D"),
    "progprompt": ("projections and masks", "#2B6E8E", "s"),
    "olora": ("projections and masks", "#225771", "o"),
    "osf": ("projections and masks", "#0F2631", "^"),
    "inflora": ("projections and masks", "#122F3D", "<"),
}
_FILLS = {
    "full": "full",
    "frozen": "none",
    "adapter": "left",
    "lora": "bottom",
    "prompt": "top",
    "np": "full",
    "p": "none",
}
_MARKERS = {"oracle": "D", "random": "v", "generic": "s", "incremental": "o", "joint": "P", "single": "X"}
_SIZES = {"P": 7.0, "X": 6.5, "^": 5.5, "v": 5.5, "<": 5.5, ">": 5.5}
"""Points, so that all markers have about the same area; others have 5."""


@dataclass(frozen=True)
class LineStyle:
    """How one method is drawn.

    Attributes:
        color: As ``#RRGGBB``.
        marker: One of :data:`MARKERS`.
        joint: Whether it is joint training, whose lines are dashed.
        fill: Which part of the marker has the color, one of :data:`FILLS`.
        kind: One of ``FAMILIES``.
    """

    color: str
    marker: str
    joint: bool
    fill: str = "full"
    kind: str = "other"

    def line(self) -> dict[str, Any]:
        """Arguments for ``Axes.plot``."""
        filled = self.fill == "full"
        return {
            "color": self.color,
            "marker": self.marker,
            "linestyle": "--" if self.joint else "-",
            "fillstyle": "full" if self.fill == "none" else self.fill,
            "markerfacecolor": "white" if self.fill == "none" else self.color,
            "markerfacecoloralt": "white",
            "markeredgecolor": "white" if filled else self.color,
            "markeredgewidth": 0.5 if filled else 1.1,
            "markersize": _SIZES.get(self.marker, 5.0),
        }


def family_of(method: str) -> Family:
    """The family of a method, from the first word of its id; ``other`` where it is not of this project.

    Example:
        >>> family_of("ewc-frozen-lr=0.1"), family_of("my_method")
        ('penalties', 'other')
    """
    return cast(Family, _KNOWN[word][0] if (word := method.split("-")[0]) in _KNOWN else "other")


def line_styles(frame: pd.DataFrame) -> dict[str, LineStyle]:
    """A look for each method of ``frame`` (loaded results), joint training first, then by kind and name.

    The look follows from the name alone, unless two methods of ``frame`` would look the same: then the one
    with more options, or the second by name, takes the next free marker, or filling, or color. No two are
    the same up to 315 methods.

    Args:
        frame: Needs the columns ``method`` and ``stream``.
    """
    joint = (frame["stream"] == "joint").groupby(frame["method"]).any()
    taken: set[tuple[str, str, str]] = set()
    looks = {}
    for method in sorted(joint.index, key=lambda name: (name.count("-") + 9 * name.count("="), name)):
        kind, candidates = _candidates(method)
        color, marker, fill = next((one for one in candidates if one not in taken), candidates[0])
        taken.add((color, marker, fill))
        looks[method] = LineStyle(color, marker, bool(joint[method]), fill, kind)
    return dict(sorted(looks.items(), key=lambda item: _place(*item)))


def _place(method: str, look: LineStyle) -> tuple[bool, int, str]:
    return not look.joint, FAMILIES.index(look.kind), method


def _candidates(method: str) -> tuple[str, list[tuple[str, str, str]]]:
    """The kind of a method, and the looks that it may take, the one that tells most first."""
    family, *words = method.split("-")
    other = "other", COLORS[_number(family) % len(COLORS)], MARKERS[_number(method) % len(MARKERS)]
    kind, color, marker = _KNOWN.get(family, other)
    marker = next((_MARKERS[word] for word in reversed(words) if word in _MARKERS), marker)
    fill = next((_FILLS[word] for word in words if word in _FILLS), "full")
    # Which marker comes next follows from the name, so that it seldom depends on the other methods.
    later = MARKERS[_number(method) % len(MARKERS) :] + MARKERS[: _number(method) % len(MARKERS)]
    ordered = itertools.product(_first(color, COLORS), _first(fill, FILLS), _first(marker, later))
    own = _KNOWN.get(family, other)[2]
    return kind, [(_shade(each, one, own), one, filled) for each, filled, one in ordered]


def _shade(color: str, marker: str, own: str) -> str:
    """``color``, darker or lighter where the marker is not the method's ``own``: for its variants."""
    towards, share = ((0, 0.0), (0, 0.5), (255, 0.4))[(MARKERS.index(marker) - MARKERS.index(own)) % 3]
    parts = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + share * (towards - part)):02X}" for part in parts)


def _first(one: str, others: tuple[str, ...]) -> list[str]:
    return [one, *(each for each in others if each != one)]


def _number(text: str) -> int:
    """The same for a text in every process, unlike ``hash``."""
    return zlib.crc32(text.encode())
