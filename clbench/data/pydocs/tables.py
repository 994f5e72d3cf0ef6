"""From documents to tables: texts with labels that come from the code and from where a text stood."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from clbench.data.pydocs import prose
from clbench.data.pydocs.documents import Document
from clbench.data.pydocs.duplicates import Seen
from clbench.data.pydocs.libraries import CLASSES, FURTHER, GENERAL

#: Labels of the tables.
LIBRARIES = tuple(library.name for library in CLASSES)
KINDS = ("class", "function")
RETURNS = ("value", "nothing")
ARGUMENTS = ("flag", "number", "string")
OBJECTS = ("class", "function")
TOPICS = ("learning", "arrays", "fonts")
#: The domains of the table ``kinds``: the subjects of its libraries.
DOMAINS = tuple(dict.fromkeys(library.domain for library in CLASSES if library.domain))
GENERAL_LIBRARIES = tuple(library.name for library in GENERAL)

#: At most so many texts of one label of one domain, for training and for testing.
MOST = {"train": 320, "test": 120}
_TRAIN_SHARE = 0.75
_LEAST_SUMMARY = 4
_TOPIC_OF = dict(zip((library.name for library in FURTHER), TOPICS, strict=True))
_TYPES = {"bool": "flag", "boolean": "flag", "int": "number", "integer": "number", "float": "number"}
_TYPES |= {"str": "string", "string": "string"}
#: Documented types that contain other values too: an argument that may be one of these gets no label.
_COMPOUND = re.compile(
    r"list|dict|tuple|set\b|sequence|iter|mapping|callable|array|like|tensor|path|bytes|type|object|any|literal"
    r"|series|frame",
    re.IGNORECASE,
)


class Row(NamedTuple):
    """One example; ``name`` is the qualified name of the object that it is about."""

    name: str
    text: str
    text_pair: str | None
    label: str
    domain: str | None


Tables: TypeAlias = dict[str, dict[str, list[Row]]]


def _key(text: str) -> int:
    """A number in [0, 2**64) that is the same for ``text`` in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def split_of(name: str) -> str:
    """``train`` for about three quarters of the qualified names, ``test`` for the others."""
    return "train" if _key(f"split {name}") < _TRAIN_SHARE * 2**64 else "test"


def argument_type(documented: str) -> str | None:
    """The label of an argument by its annotation or documented type; None if it is none or several."""
    if _COMPOUND.search(documented):
        return None
    found = {_TYPES[word] for word in re.findall(r"\w+", documented) if word in _TYPES}
    return found.pop() if len(found) == 1 else None


def _libraries(document: Document) -> Iterator[Row]:
    if document.library in LIBRARIES:
        yield Row(document.name, document.text, None, document.library, None)


def _kinds(document: Document) -> Iterator[Row]:
    """Methods count as functions here: their texts do not tell them apart."""
    if document.domain and document.description and document.kind != "module":
        label = "class" if document.kind == "class" else "function"
        yield Row(document.name, document.description, None, label, document.domain)


def _returns(document: Document) -> Iterator[Row]:
    if document.domain and document.description and document.returns is not None:
        yield Row(document.name, document.description, None, RETURNS[not document.returns], None)


def _arguments(document: Document) -> Iterator[Row]:
    if document.domain and document.description:
        summary = prose.first_sentence(document.description)
        for documented, text in document.arguments:
            label = argument_type(documented)
            if label and len(summary.split()) >= _LEAST_SUMMARY:
                yield Row(document.name, summary, text, label, None)


def _objects(document: Document) -> Iterator[Row]:
    if document.domain and document.description and document.kind in OBJECTS:
        yield Row(document.name, document.description, None, document.kind, None)


def _topics(document: Document) -> Iterator[Row]:
    if topic := _TOPIC_OF.get(document.library):
        yield Row(document.name, document.text, None, topic, None)


def _general(document: Document) -> Iterator[Row]:
    if document.library in GENERAL_LIBRARIES:
        yield Row(document.name, document.text, None, "", None)


_MAKERS: dict[str, Callable[[Document], Iterator[Row]]] = {
    "libraries": _libraries,
    "kinds": _kinds,
    "task_returns": _returns,
    "task_arguments": _arguments,
    "task_objects": _objects,
    "task_topics": _topics,
    "general": _general,
}
#: The names of the tables.
NAMES = tuple(_MAKERS)


def _distinct(rows: Iterable[Row]) -> Iterator[Row]:
    """``rows`` without near-duplicates and without texts that also stand in the other split."""
    seen = Seen()
    home: dict[str, str] = {}
    for row in rows:
        split = split_of(row.name)
        if home.setdefault(row.text, split) == split and seen.add(row.text_pair or row.text):
            yield row


def _by_split(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each split in a hashed order, so that the first of them are spread over all objects."""
    ordered = sorted(rows, key=lambda row: (_key("".join(map(str, row))), row.name))
    return {split: [row for row in ordered if split_of(row.name) == split] for split in MOST}


def _balanced(rows: list[Row], most: int) -> list[Row]:
    """The first rows of each label of a domain: as many as its rarest label has, at most ``most``."""
    counts = Counter((row.domain, row.label) for row in rows)
    taken: Counter[tuple[str | None, str]] = Counter()
    kept = []
    for row in rows:
        limit = min(most, *(count for (domain, _), count in counts.items() if domain == row.domain))
        taken[row.domain, row.label] += 1
        if taken[row.domain, row.label] <= limit:
            kept.append(row)
    return kept


def build(documents: Iterable[Document]) -> Tables:
    """All tables. ``libraries`` and ``general`` keep all rows; the others are balanced by label."""
    documents = list(documents)
    tables: Tables = {}
    for table, make in _MAKERS.items():
        rows = list(_distinct(row for document in documents for row in make(document)))
        if table == "general":
            tables[table] = {"train": rows}
        elif table == "libraries":
            tables[table] = _by_split(rows)
        else:
            tables[table] = {split: _balanced(part, MOST[split]) for split, part in _by_split(rows).items()}
    return tables
