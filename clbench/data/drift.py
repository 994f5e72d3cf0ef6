"""Texts that are transformed by a declared strength."""

from __future__ import annotations

import hashlib
import math
import random

from clbench.core.drift import Drift

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drifted(text: str, drift: Drift) -> str:
    """A text with words cut off, typing errors and words in capitals.

    What is drawn depends on seed and text alone, and each letter and word has a number of its own that
    decides about it: what a small strength hits, a larger one hits as well. At least one word stays.

    Args:
        text: Its words are separated by spaces.
        drift: The strengths.
    """
    digest = hashlib.blake2b(f"{drift.seed}/{text}".encode(), digest_size=8).digest()
    draw = random.Random(int.from_bytes(digest, "big"))
    words = text.split(" ")
    kept = max(1, math.ceil(len(words) * (1 - drift.truncation)))
    out = []
    for word in words[:kept]:
        loud = draw.random() < drift.casing
        typed = _mistyped(word, drift.typos, draw)
        out.append(typed.upper() if loud else typed)
    return " ".join(out)


def _mistyped(word: str, share: float, draw: random.Random) -> str:
    """Each letter is, with this probability, left out, doubled, replaced, or exchanged with the next one."""
    letters = [(letter, draw.random() < share, draw.randrange(4), draw.choice(LETTERS)) for letter in word]
    out: list[str] = []
    at = 0
    while at < len(letters):
        letter, wrong, kind, other = letters[at]
        if not wrong or not letter.isalpha():
            out.append(letter)
        elif kind == 1:
            out.append(letter * 2)
        elif kind == 2:
            out.append(other)
        elif kind == 3 and at + 1 < len(letters):
            out.append(letters[at + 1][0] + letter)
            at += 1
        # else it is left out
        at += 1
    return "".join(out) or word
