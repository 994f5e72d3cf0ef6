"""Near-duplicate texts, found by the word sequences that they share."""

from __future__ import annotations

from collections import Counter

from clbench.data.pydocs.prose import words


class Seen:
    """Remembers texts and tells whether a new one nearly repeats one of them.

    Two texts are near-duplicates if the smaller of their sets of word n-grams (n = ``size``) lies to
    ``share`` or more in the other: a text and the same text with an addition are duplicates too.
    """

    def __init__(self, size: int = 4, share: float = 0.6) -> None:
        self.size = size
        self.share = share
        self._holders: dict[tuple[str, ...], list[int]] = {}
        self._counts: list[int] = []

    def add(self, text: str) -> bool:
        """Remembers ``text`` and returns True, unless it nearly repeats an earlier text."""
        found = words(text)
        last = max(1, len(found) - self.size + 1)
        grams = dict.fromkeys(tuple(found[start : start + self.size]) for start in range(last))
        shared = Counter(holder for gram in grams for holder in self._holders.get(gram, ()))
        if any(
            count >= self.share * min(len(grams), self._counts[holder]) for holder, count in shared.items()
        ):
            return False
        for gram in grams:
            self._holders.setdefault(gram, []).append(len(self._counts))
        self._counts.append(len(grams))
        return True
