"""Turns the text of a docstring into plain English prose that does not name what it documents."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: What stands for an identifier, chosen so that sentences still read.
MASK = "object"

_URL = re.compile(r"<?\b(?:https?://|www\.)\S*")
_MARKDOWN_LINK = re.compile(r"\[([^\]\[`]+)\]\([^)]*\)")
_REST_LINK = re.compile(r"`([^`<]+?)\s*<[^>]*>`__?")
_ROLE = re.compile(r"(?::[\w+.-]+)+:`[^`]*`")
_LITERAL = re.compile(r"``(.+?)``")
_SINGLE = re.compile(r"\[?`([^`]+)`\]?(?:\([^)]*\))?_{0,2}")
_CITATION = re.compile(r"\[[#*\w]{1,12}\]_?|\|\w+\|_?")
_MATH = re.compile(r"\$+[^$]+\$+|\\\(.+?\\\)|\\\w+(?:\{[^}]*\})*")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,40}>|\{\{.*?\}\}|&\w+;")
_PLAIN_WORDS = re.compile(r"^(?:[a-z]{3,}|None|True|False|[A-Za-z][a-z]+(?:[ -][A-Za-z]?[a-z]+)+)$")
_IDENTIFIER = re.compile(
    r"(?<!\w)(?:"
    r"[\w.]*\w\(\)"  # name()
    r"|@?[A-Za-z_]\w+(?:\.[A-Za-z_]\w+)+(?:\(.*?\))?"  # dotted.name
    r"|\w*[A-Za-z0-9]_\w*|_+\w+"  # snake_case
    r"|[a-z]+[A-Z]\w*|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\w*|[A-Z]{2,}[a-z]{2,}\w*"  # camelCase, CamelCase
    r")"
)
_SYMBOLS = re.compile(r"[^\w\s.,;:!?'\"()%/-]|(?<=\s)-+(?=\s)|[-=~_]{2,}|\s[*/=]\s")
_REPEATED = re.compile(rf"\b{MASK}s?(?:(?:\s*[,/.:]|\s+and|\s+or|\s*-)?\s*\b{MASK}s?\b)+", re.IGNORECASE)
_NO_LETTER = re.compile(r"[^A-Za-z ]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_EMPTY = re.compile(r"\(\s*[,;.:]*\s*\)|\"\s*\"|'\s*'")
_SPACE_BEFORE = re.compile(r"\s+([.,;:!?)])")
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")


def _quoted(match: re.Match[str]) -> str:
    """A literal that is an ordinary word or phrase stays; any other is an identifier or code."""
    inner = match[1].strip()
    return inner if _PLAIN_WORDS.match(inner) else f" {MASK} "


class Masker:
    """Replaces every word that contains one of ``names``, whatever the case, by ``MASK``.

    Names of one to three letters (``np``, ``hf``) are replaced only where they are whole words.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted({name.lower() for name in names}, key=lambda name: (-len(name), name))
        parts = [
            re.escape(name) if len(name) > 3 else rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])"
            for name in self._names
        ]
        self._words = re.compile(rf"(?<![\w-])[\w-]*?(?:{'|'.join(parts)})[\w-]*", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """``text`` with the names replaced."""
        lowered = text.lower()  # most texts hold none of the names, which this finds fast
        return self._words.sub(MASK, text) if any(name in lowered for name in self._names) else text


def clean(text: str, mask: Masker) -> str:
    """``text`` without markup, addresses and code, with identifiers and libraries' names as ``MASK``."""
    text = _REST_LINK.sub(r"\1", _MARKDOWN_LINK.sub(r"\1", text))
    text = _URL.sub(" ", text)
    text = _ROLE.sub(f" {MASK} ", text)
    text = _LITERAL.sub(_quoted, text)
    text = _SINGLE.sub(_quoted, text)
    text = _CITATION.sub(" ", _TAG.sub(" ", _MATH.sub(" ", text)))
    text = text.replace("*", "")
    text = _IDENTIFIER.sub(MASK, text)
    text = mask(text)
    text = _EMPTY.sub(" ", _SYMBOLS.sub(" ", text))
    text = _SPACE_BEFORE.sub(r"\1", " ".join(text.split()))
    text = _REPEATED.sub(MASK, text)
    return text.strip(" ,;:-/'\"")


def words(text: str) -> list[str]:
    """The alphabetic words of ``text``, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def is_prose(text: str, least: int = 8) -> bool:
    """Whether ``text`` has ``least`` words and is mostly letters, in English-looking proportion.

    Masked identifiers do not count as words, and at most a third of the words may be masked.
    """
    found = words(text)
    masked = found.count(MASK)
    letters = len(text) - len(_NO_LETTER.findall(text))
    return len(found) - masked >= least and masked * 3 <= len(found) and letters >= 0.9 * len(text)


def first_sentence(text: str) -> str:
    """``text`` up to the first full stop, question mark or exclamation mark that a space follows."""
    return _SENTENCE_END.split(text, maxsplit=1)[0]


def shorten(paragraphs: Iterable[str], most: int = 60) -> str:
    """The paragraphs joined, as far as whole sentences go within ``most`` words.

    The first sentence is kept whatever its length, up to twice ``most``.

    No more paragraphs are taken from the iterable than are needed.
    """
    kept: list[str] = []
    for paragraph in paragraphs:
        for sentence in _SENTENCE_END.split(paragraph):
            found = sentence.split()
            if kept and len(kept) + len(found) > most:
                return " ".join(kept)
            kept += found[: 2 * most]
    return " ".join(kept)
