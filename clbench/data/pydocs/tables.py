"""Makes labeled tables from documentation; labels come from the code and from the library of a text."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from clbench.data.pydocs import prose, source
from clbench.data.pydocs.libraries import GENERAL, LABELS, TOPICS, Library, source_files

#: The maximum number of texts of one label of one domain, per split.
MOST = {"train": 320, "test": 120}
_TYPES = {"bool": "flag", "boolean": "flag", "int": "number", "integer": "number", "float": "number"}
_TYPES |= {"str": "string", "string": "string"}


class Row(NamedTuple):
    """One example; ``name`` is the qualified name of the object that it describes."""

    name: str
    text: str
    text_pair: str | None = None
    label: str | None = None
    domain: str | None = None


Example: TypeAlias = tuple[str, Row]  # the name of a table, and a row of it
Splits: TypeAlias = dict[str, list[Row]]


def collect(library: Library, seen: prose.NearDuplicates) -> Iterator[Example]:
    """The examples from the objects of a library, up to its limit of objects."""
    count = 0
    for module, path in source_files(library):
        for name, kind, node in source.objects(path.read_text(encoding="utf-8", errors="replace"), module):
            if found := _examples(name, kind, node, library, seen):
                yield from found
                count += 1
                if count == library.limit:
                    return


def _examples(
    name: str, kind: source.Kind, node: source.Node, library: Library, seen: prose.NearDuplicates
) -> list[Example]:
    """The examples from one object; none if it has too little prose or its text repeats an earlier one."""
    parsed = source.parse(ast.get_docstring(node) or "")
    arguments = [each for each in parsed.params if each.args[0] != "attribute"]
    description = prose.shorten(source.paragraphs(parsed.description))
    others = [each.description for each in [*arguments, *parsed.many_returns[:1]]]
    text = prose.shorten([description, *(each for other in others for each in source.paragraphs(other))])
    if not prose.is_prose(text, library.least) or not seen.is_new(text):
        return []
    if library in GENERAL:
        return [("general", Row(name, text))]
    table, label = ("task_topics", TOPICS[library]) if library in TOPICS else ("libraries", library.name)
    found = [(table, Row(name, text, label=label))]
    if not prose.is_prose(description):
        return found
    if kind != "module":  # functions and methods are not told apart by their texts
        label = "class" if kind == "class" else "function"
        found.append(("kinds", Row(name, description, label=label, domain=library.domain)))
    if kind in LABELS["task_objects"]:
        found.append(("task_objects", Row(name, description, label=kind)))
    if (returns := source.returns_value(node)) is not None:
        found.append(("task_returns", Row(name, description, label="value" if returns else "nothing")))
    summary, types = prose.SENTENCE_END.split(description)[0], source.argument_types(node)
    for each in arguments[:4]:
        pair = prose.shorten(source.paragraphs(each.description), most=30)
        argument = argument_type(types.get(each.arg_name) or each.type_name or "")
        if argument and prose.is_prose(pair) and len(summary.split()) >= 4:
            found.append(("task_arguments", Row(name, summary, pair, argument)))
    return found


def argument_type(documented: str) -> str | None:
    """The label of an argument by its annotation or documented type; None if it has none or several."""
    words = re.findall(r"\w+", documented.split(",")[0])
    found = {_TYPES.get(word, word) for word in words} - {"None", "Optional", "or"}
    return found.pop() if len(found) == 1 and found <= set(_TYPES.values()) else None


def build(examples: Iterable[Example]) -> dict[str, Splits]:
    """All tables by name and split. ``libraries`` and ``general`` keep all rows, the others are balanced."""
    rows: dict[str, list[Row]] = {table: [] for table in LABELS}
    for table, row in examples:
        rows[table].append(row)
    tables = {table: _splits(found) for table, found in rows.items()}
    for table in tables.keys() - {"libraries", "general"}:
        tables[table] = {split: _balanced(part, MOST[split]) for split, part in tables[table].items()}
    return tables | {"general": {"train": [row for part in tables["general"].values() for row in part]}}


def split_of(name: str) -> str:
    """``train`` for about three quarters of the qualified names, ``test`` for the others."""
    return "train" if _hash(f"split {name}") < 0.75 * 2**64 else "test"


def _hash(text: str) -> int:
    """A number in [0, 2**64) that is the same for ``text`` in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _splits(rows: Iterable[Row]) -> Splits:
    """The rows by split, without near-duplicates and without texts that are in both splits.

    The order is that of a hash, so that the first rows are spread over all objects.
    """
    seen = prose.NearDuplicates()
    splits: Splits = {split: [] for split in MOST}
    home: dict[str, str] = {}
    for row in rows:
        split = split_of(row.name)
        if home.setdefault(row.text, split) == split and seen.is_new(row.text_pair or row.text):
            splits[split].append(row)
    for part in splits.values():
        part.sort(key=lambda row: (_hash("".join(map(str, row))), row.name))
    return splits


def _balanced(rows: list[Row], most: int) -> list[Row]:
    """The first rows of each label of a domain: as many as its rarest label has, at most ``most``."""
    groups: dict[tuple[str | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.domain, row.label), []).append(row)
    kept = []
    for (domain, _), group in groups.items():
        kept += group[: min(most, *(len(each) for (other, _), each in groups.items() if other == domain))]
    return kept
