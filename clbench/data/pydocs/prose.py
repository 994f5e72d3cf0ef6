"""Turns the text of a docstring into plain English prose that does not name what it documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from clbench.data.pydocs.libraries import ALIASES, ALL

#: The word that replaces identifiers and names of libraries; sentences stay readable with it.
MASK = "object"

_NAMES = sorted({library.name.lower() for library in ALL} | set(ALIASES), key=len, reverse=True)
_LONG = "|".join(re.escape(name) for name in _NAMES if len(name) > 3)
_SHORT = "|".join(re.escape(name) for name in _NAMES if len(name) <= 3)
#: Words that contain a name; names of up to three letters count only as whole words.
_NAMED = re.compile(rf"(?i)(?<![\w-])[\w-]*(?:{_LONG})[\w-]*|(?<![a-z])(?:{_SHORT})(?![a-z])")
_PLAIN = re.compile(r"[a-z]{3,}|None|True|False|[A-Za-z][a-z]+(?:[ -][A-Za-z]?[a-z]+)+")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def _literal(match: re.Match[str]) -> str:
    """What stands for a literal: its text if that is plain words, else ``MASK``."""
    inner = (match[1] or match[2]).strip()
    return inner if _PLAIN.fullmatch(inner) else f" {MASK} "


#: Patterns and their replacements, applied in this order before names of libraries are masked.
_MARKUP: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"\[([^\]\[`]+)\]\([^)]*\)"), r"\1"),  # Markdown links
    (re.compile(r"`([^`<]+?)\s*<[^>]*>`__?"), r"\1"),  # reST links
    (re.compile(r"<?\b(?:https?://|www\.)\S*"), " "),
    (re.compile(r"(?::[\w+.-]+)+:`[^`]*`"), f" {MASK} "),  # reST roles
    (re.compile(r"``(.+?)``|\[?`([^`]+)`\]?(?:\([^)]*\))?_{0,2}"), _literal),
    (re.compile(r"\$+[^$]+\$+|\\\(.+?\\\)|\\\w+(?:\{[^}]*\})*"), " "),  # formulas
    (re.compile(r"</?[A-Za-z][^<>]{0,40}>|\{\{.*?\}\}|&\w+;"), " "),  # tags and placeholders
    (re.compile(r"\[[#*\w]{1,12}\]_?|\|\w+\|_?"), " "),  # citations and substitutions
    (re.compile(r"\*"), ""),
    (re.compile(r"(?<!\w)(?:[\w.]*\w\(\)|@?[A-Za-z_]\w+(?:\.[A-Za-z_]\w+)+(?:\(.*?\))?)"), MASK),  # f(), a.b
    (re.compile(r"\b(?:\w*_\w*|\w*[a-z0-9][A-Z]\w*|[A-Z]{2,}[a-z]{2,}\w*)"), MASK),  # snake_case, CamelCase
]
#: The same, applied after names of libraries are masked.
_LEFTOVERS = [
    (re.compile(r"[^\w\s.,;:!?'\"()%/-]|(?<=\s)-+(?=\s)|[-=~_]{2,}|\s[*/=]\s"), " "),  # symbols
    (re.compile(r"\(\s*[,;.:]*\s*\)|\"\s*\"|'\s*'"), " "),  # empty brackets and quotes
    (re.compile(r"\s+"), " "),
    (re.compile(r" ([.,;:!?)])"), r"\1"),
    (re.compile(rf"(?i)\b{MASK}s?(?:(?: ?[,/.:]| and| or| ?-)? ?\b{MASK}s?\b)+"), MASK),  # lists of masks
]


def clean(text: str) -> str:
    """``text`` without markup, links and code; identifiers and names of libraries are masked."""
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    lowered = text.lower()
    if any(name in lowered for name in _NAMES):  # few texts need the pattern, which is slow
        text = _NAMED.sub(MASK, text)
    for pattern, replacement in _LEFTOVERS:
        text = pattern.sub(replacement, text)
    return text.strip(" ,;:-/'\"")


def words(text: str) -> list[str]:
    """The alphabetic words of ``text``, in lower case."""
    return re.findall(r"[a-z]+(?:['-][a-z]+)*", text.lower())


def is_prose(text: str, least: int = 8) -> bool:
    """Whether ``text`` has ``least`` words besides masks, at most a third masks, and 90 % letters."""
    found = words(text)
    masked = found.count(MASK)
    letters = len(re.findall("[A-Za-z ]", text))
    return len(found) - masked >= least and masked * 3 <= len(found) and letters >= 0.9 * len(text)


def shorten(paragraphs: Iterable[str], most: int = 60) -> str:
    """The first sentences of the paragraphs with ``most`` words together; one longer sentence is cut."""
    kept: list[str] = []
    for paragraph in paragraphs:
        for sentence in SENTENCE_END.split(paragraph):
            found = sentence.split()
            if kept and len(kept) + len(found) > most:
                return " ".join(kept)
            kept += found[: 2 * most]
    return " ".join(kept)


class NearDuplicates:
    """Recognizes texts that share 60 % of their 4-grams of words with an earlier text.

    The share is that of the text with fewer 4-grams, so a text with an addition is a near-duplicate too.
    """

    def __init__(self) -> None:
        self._texts_with: dict[tuple[str, ...], list[int]] = {}
        self._sizes: list[int] = []

    def is_new(self, text: str) -> bool:
        """Whether ``text`` is no near-duplicate of an earlier text; remembers it if so."""
        found = words(text)
        grams = {tuple(found[start : start + 4]) for start in range(max(1, len(found) - 3))}
        shared = Counter(index for gram in grams for index in self._texts_with.get(gram, ()))
        if any(count >= 0.6 * min(len(grams), self._sizes[index]) for index, count in shared.items()):
            return False
        for gram in grams:
            self._texts_with.setdefault(gram, []).append(len(self._sizes))
        self._sizes.append(len(grams))
        return True
