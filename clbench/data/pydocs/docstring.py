"""Takes a docstring apart: its description, and the entries of its sections.

Understands the three conventions in use: numpydoc (underlined headings), Google (``Args:`` and an indented
block) and reST field lists (``:param name: text``). What is no prose, such as code, tables and
directives, is left out line by line; markup inside a line is the business of ``prose``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SECTIONS = {
    "args": "arguments",
    "arguments": "arguments",
    "keyword args": "arguments",
    "keyword arguments": "arguments",
    "parameters": "arguments",
    "other parameters": "arguments",
    "params": "arguments",
    "return": "returns",
    "returns": "returns",
    "yields": "returns",
}
# Headings of what is never kept; any other line with a colon is part of the description.
_DROPPED = {
    *(
        "example",
        "examples",
        "example usage",
        "usage",
        "see also",
        "reference",
        "references",
        "todo",
        "tip",
        "tips",
    ),
    *(
        "warning",
        "warnings",
        "warns",
        "note",
        "notes",
        "author",
        "authors",
        "attributes",
        "methods",
        "raises",
    ),
    *("shape", "shapes", "input", "inputs", "output", "outputs", "side effects"),
}
_UNDERLINE = re.compile(r"^\s*[-=~^]{3,}\s*$")
_GOOGLE = re.compile(r"^(\s*)\**([A-Z][A-Za-z ]{2,25}):{1,2}\**\s*$")
_FIELD = re.compile(r"^\s*[:@](\w+)\s*([^:]*):\s?(.*)$")
_FIELDS = {
    "param": "arguments",
    "parameter": "arguments",
    "arg": "arguments",
    "keyword": "arguments",
    "return": "returns",
    "returns": "returns",
}
_HEAD = re.compile(r"^[-*+]?\s*[`*]*([A-Za-z_]\w*)[`*]*\s*(\(.*\))?\s*(?:--|:)\s*(.*)$")
_NUMPY_HEAD = re.compile(r"^[`*]*([A-Za-z_]\w*(?:, ?[*\w]+)*)[`*]*\s*(?::\s*(.*))?$")
_ARGUMENT = re.compile(r"^\s*[-*]?\s*[`*]*\w+[`*]* \(`")  # name (`type`, ...): text, without a heading
_FENCE = re.compile(r"^\s*(```|~~~)")
_TABLE = re.compile(r"^\s*([|+]|[-=+|: ]{3,}$)")


@dataclass
class Entry:
    """One documented argument, or the result.

    Attributes:
        name: What is documented; empty where the entry has no name.
        type: The type as documented, or empty.
        text: The lines of its description, joined.
    """

    name: str
    type: str
    text: str


@dataclass
class Docstring:
    """A docstring in parts.

    Attributes:
        description: The paragraphs before the first section.
        arguments: The documented arguments, in order.
        returns: What is said about the result, or empty.
    """

    description: list[str] = field(default_factory=list)
    arguments: list[Entry] = field(default_factory=list)
    returns: str = ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def without_code(lines: list[str]) -> Iterator[str]:
    """``lines`` without doctests, fenced code, directives, tables and the blocks that follow ``::``."""
    fenced = doctest = False
    block: int | None = None  # the indent of the line whose deeper lines are left out
    for line in lines:
        blank = not line.strip()
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced:
            continue
        elif blank:
            doctest = False
            yield ""
        elif doctest or line.lstrip().startswith((">>>", "In [", "$ ")):
            doctest = True
        elif block is not None and _indent(line) > block:
            continue
        else:
            block = None
            if line.lstrip().startswith(".. "):
                block = _indent(line)
            elif line.rstrip().endswith("::") and not _GOOGLE.match(line):
                block = _indent(line)
                yield line.rstrip()[:-1]
            elif not _TABLE.match(line) or _UNDERLINE.match(line):
                yield line


def _split(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The sections in order, each with its lines; the description comes first, as ``description``."""
    name, kept = "description", list[str]()
    inside: int | None = None  # the indent of the Google heading that the lines belong to
    for position, line in enumerate(lines):
        heading = None
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if line.strip() and _UNDERLINE.match(following):
            heading, inside = line.strip().lower(), None
        elif (match := _GOOGLE.match(line)) and _known(match[2].lower()):
            heading, inside = match[2].lower(), len(match[1])
        elif inside is not None and line.strip() and _indent(line) <= inside and name != "description":
            yield name, kept
            name, kept, inside = "rest", [], None
        if heading is not None:
            yield name, kept
            name, kept = _SECTIONS.get(heading, "dropped"), []
        elif not _UNDERLINE.match(line):
            kept.append(line)
    yield name, kept


def _known(heading: str) -> bool:
    return heading in _SECTIONS or heading in _DROPPED


def _entries(lines: list[str]) -> Iterator[Entry]:
    """The entries of a section: heads at the outermost indent, each with the deeper lines below it."""
    filled = [line for line in lines if line.strip()]
    base = min(map(_indent, filled), default=0)
    current: Entry | None = None
    for line in filled:
        if _indent(line) > base:
            if current is not None:
                current.text = f"{current.text} {line.strip()}".strip()
            continue
        if current is not None:
            yield current
        current = _head(line.strip(), numpy=base == 0)
    if current is not None:
        yield current


def _head(line: str, *, numpy: bool) -> Entry:
    """The entry that a line opens: numpydoc has types after the colon, Google has text."""
    if match := (_NUMPY_HEAD if numpy else _HEAD).match(line):
        if numpy:
            return Entry(match[1], match[2] or "", "")
        return Entry(match[1], (match[2] or "").strip("()"), match[3])
    return Entry("", "", line)


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Runs of lines between blank ones, joined; a run that is indented throughout is code or a quotation."""
    run: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            run.append(line)
        elif run:
            if _indent(run[0]) < 4 and not _ARGUMENT.match(run[0]):
                yield " ".join(part.strip() for part in run)
            run = []


def _take_fields(lines: list[str], parsed: Docstring) -> list[str]:
    """Moves the reST fields of ``lines`` into ``parsed`` and returns the lines that are left."""
    left: list[str] = []
    target: Entry | None = None
    for line in lines:
        match = _FIELD.match(line)
        if match and (match[1] in _FIELDS or match[1] in ("type", "rtype", "cvar", "ivar", "var")):
            words = match[2].split()
            target = Entry(words[-1] if words else "", " ".join(words[:-1]), match[3])
            kind = _FIELDS.get(match[1])
            if kind == "arguments":
                parsed.arguments.append(target)
            elif kind == "returns" and not parsed.returns:
                parsed.returns = match[3]
        elif target is not None and line.startswith(" ") and line.strip():
            target.text = f"{target.text} {line.strip()}"
        else:
            target = None
            left.append(line)
    return left


def parse(text: str) -> Docstring:
    """Takes apart ``text``, a docstring whose common indent has been removed (``inspect.cleandoc``)."""
    parsed = Docstring()
    lines = _take_fields(list(without_code(text.expandtabs(4).splitlines())), parsed)
    for name, body in _split(lines):
        if name == "description":
            parsed.description = list(_paragraphs(body))
        elif name == "arguments":
            parsed.arguments += _entries(body)
        elif name == "returns" and not parsed.returns:
            entries = list(_entries(body))
            parsed.returns = " ".join(entry.text for entry in entries).strip()
    return parsed
