"""Which texts are kept: by what they are, or by a hash of them. The order of the data has no influence."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

Columns = Mapping[str, Sequence[Any]]
"""A split as one list per column: work on many rows takes a tenth of the time that it takes on a Dataset."""


def hold_out(split: Columns, share: float, purpose: str) -> tuple[list[int], list[int]]:
    """The positions of the texts that stay, and of those that are held out.

    Args:
        split: Has the columns ``text``, ``text_pair`` and ``label``.
        share: Of each label. At least one text of it stays, and of two or more at least one is held out, or
            else validation would know nothing of rare classes; 0 holds out none.
        purpose: Other words choose other texts.
    """
    held: set[int] = set()
    for places in by_hash(split, purpose).values():
        count = max(1, round(len(places) * share)) if share else 0
        held.update(places[: min(count, len(places) - 1)])
    return [at for at in range(len(split["text"])) if at not in held], sorted(held)


def text_rows(split: Columns) -> Iterator[tuple[Any, Any]]:
    """Each text with the one that it is paired with, or None."""
    return zip(split["text"], split["text_pair"], strict=True)


def apart(train: Columns, seen: Set[tuple[Any, Any]]) -> dict[str, list[Any]]:
    """The training texts that are not in ``seen``; of a label that has no others, all."""
    new = [text not in seen for text in text_rows(train)]
    known = {label for label, is_new in zip(train["label"], new, strict=True) if is_new}
    kept = [at for at, label in enumerate(train["label"]) if new[at] or label not in known]
    return take(train, kept)


def by_hash(split: Columns, purpose: str) -> dict[str, list[int]]:
    """Positions of the texts of each label, in a pseudo-random order that depends only on the texts."""
    groups: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    for at, ((text, pair), label) in enumerate(zip(text_rows(split), split["label"], strict=True)):
        digest = hashlib.blake2b(f"{purpose}\0{text}\0{pair}".encode(), digest_size=8).digest()
        groups[label].append((digest, at))
    return {label: [at for _, at in sorted(found)] for label, found in groups.items()}


def take(split: Columns, places: Sequence[int]) -> dict[str, list[Any]]:
    """The rows at ``places``."""
    return {name: [values[at] for at in places] for name, values in split.items()}
