"""The look of each method, the same in every panel of every figure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import pandas as pd

# Okabe and Ito, Color Universal Design, 2008: told apart with all common kinds of colour blindness. Their
# yellow is left out, as it is too pale for lines on white.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE, BLACK = COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
)
MARKERS = ("o", "s", "^", "D", "v", "<", ">", "P", "X")
_FAMILIES = {
    "finetune": BLACK,
    "dkvb": BLUE,
    "ewc": VERMILION,
    "replay": GREEN,
    "adapters": PURPLE,
    "agem": ORANGE,
    "ncm": SKY,
}


@dataclass(frozen=True)
class LineStyle:
    """How one method is drawn; joint upper bounds are dashed."""

    colour: str
    marker: str
    joint: bool


def line_styles(frame: pd.DataFrame) -> dict[str, LineStyle]:
    """A look for each method of ``frame`` (loaded results), joint upper bounds first, then by name.

    The colour follows from the first word of the name, so the variants of a method share it; the marker
    follows from the rest. Both depend on the name alone, unless two methods of ``frame`` would look the
    same: then the second by name takes the next free marker.
    """
    taken: set[tuple[str, str]] = set()
    looks = {}
    joint = frame.groupby("method")["joint"].any()
    for method in sorted(joint.index):
        family, _, variant = method.partition("-")
        colour = _FAMILIES.get(family) or COLOURS[_number(family) % len(COLOURS)]
        first = _number(variant) % len(MARKERS)
        candidates = MARKERS[first:] + MARKERS[:first]
        marker = next((one for one in candidates if (colour, one) not in taken), candidates[0])
        taken.add((colour, marker))
        looks[method] = LineStyle(colour, marker, bool(joint[method]))
    return dict(sorted(looks.items(), key=lambda item: (not item[1].joint, item[0])))


def _number(text: str) -> int:
    """The same for a text in every process, unlike ``hash``."""
    return zlib.crc32(text.encode())
