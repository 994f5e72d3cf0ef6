"""From source files to documents: the objects of a library with what is said about them, in plain prose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clbench.data.pydocs import docstring, extract, prose
from clbench.data.pydocs.duplicates import Seen
from clbench.data.pydocs.libraries import ALIASES, ALL, Library, source_files

#: The least words of a description and of what is said about one argument.
LEAST_PART_WORDS = 8
_NAMES = prose.Masker([*(library.name for library in ALL), *ALIASES])
_ARGUMENTS = 4


@dataclass(frozen=True)
class Document:
    """One documented object.

    Attributes:
        name: Its qualified name.
        library: The library's name.
        domain: The library's domain.
        kind: What it is in the code.
        text: What the docstring says, up to 60 words: the description, then arguments and result.
        description: The description alone, up to 60 words; empty if it is too short.
        returns: Whether its code returns a value; None where that is not known.
        arguments: The type and the text of its first arguments that are described well enough.
    """

    name: str
    library: str
    domain: str | None
    kind: extract.Kind
    text: str
    description: str
    returns: bool | None
    arguments: tuple[tuple[str, str], ...]


def _cleaned(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if cleaned := prose.clean(text, _NAMES):
            yield cleaned if cleaned.endswith((".", "!", "?")) else f"{cleaned}."


def _document(source: extract.Source, library: Library, seen: Seen) -> Document | None:
    """The document of ``source``, or None if it is no prose or nearly repeats an earlier one."""
    parsed = docstring.parse(source.docstring)
    description = prose.shorten(_cleaned(parsed.description))
    described = (entry.text for entry in parsed.arguments)
    text = prose.shorten([description, *_cleaned([*described, parsed.returns])])
    if not prose.is_prose(text, library.least) or not seen.add(text):
        return None
    arguments = (
        (source.types.get(entry.name) or entry.type, prose.shorten(_cleaned([entry.text]), most=30))
        for entry in parsed.arguments[:_ARGUMENTS]
    )
    return Document(
        name=source.name,
        library=library.name,
        domain=library.domain,
        kind=source.kind,
        text=text,
        description=description if prose.is_prose(description, LEAST_PART_WORDS) else "",
        returns=source.returns,
        arguments=tuple(item for item in arguments if prose.is_prose(item[1], LEAST_PART_WORDS)),
    )


def is_private(name: str) -> bool:
    """Whether the last part of a qualified name begins with an underscore."""
    return re.search(r"\._[^.]*$", name) is not None


def collect(library: Library, seen: Seen) -> list[Document]:
    """The documents of a library's public objects, reading files until its limit is reached."""
    found: list[Document] = []
    for module, path in source_files(library):
        found += from_file(path, module, library, seen)
        if len(found) >= library.limit:
            break
    return found[: library.limit]


def from_file(path: Path, module: str, library: Library, seen: Seen) -> Iterator[Document]:
    """The documents of one source file."""
    for source in extract.extract(path.read_text(encoding="utf-8", errors="replace"), module):
        if not is_private(source.name) and (document := _document(source, library, seen)):
            yield document
