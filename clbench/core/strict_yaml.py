"""YAML for people: the scalars of YAML 1.2, no tags, no key twice, and nothing that grows without end."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LIMIT = 1 << 20
"""Characters of a file."""
DEPTH = 40
"""How deeply values can be nested."""
VALUES = 100_000
"""How many values a file can have when every alias is written out."""

# As in the core schema of YAML 1.2: "no" and "12:30" are texts, and so are dates.
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "merge": (r"<<", "<"),
}


def parse_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        yaml.YAMLError: It is not YAML, too large, nested too deeply, or has a tag or the same key twice.
    """
    if len(text) > LIMIT:
        raise yaml.YAMLError(f"{len(text)} characters; at most {LIMIT} are read")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > VALUES:
            raise yaml.YAMLError(f"its aliases stand for more than {VALUES} values")
        return loader.construct_document(node)
    except ValueError as error:  # a number that Python does not take, such as one of 10,000 digits
        raise yaml.YAMLError(f"a number cannot be read: {error}") from error
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Composes at most ``DEPTH`` levels, with the scalars of ``_SCALARS``."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own
    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: a tag such as {event.tag} is not read")
        if self._depth == DEPTH:
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: nested more than {DEPTH} levels deep")
        self._depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        if isinstance(node, MappingNode):
            _refuse_duplicates(node)
        return node


for _tag, (_pattern, _first) in _SCALARS.items():
    # PyYAML looks an empty scalar up under the empty text.
    _letters = [letter.replace("\0", "") for letter in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _letters)


def _refuse_duplicates(node: MappingNode) -> None:
    seen: set[Hashable] = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a key must be a text or a number")
        if key.value in seen:
            raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key '{key.value}' is there twice")
        seen.add(key.value)


def _values(node: Node, known: dict[int, int | None]) -> int:
    """How many values ``node`` stands for with every alias written out; ``known`` has those of its parts."""
    if id(node) not in known:
        known[id(node)] = None
        known[id(node)] = 1 + sum(_values(each, known) for each in _parts(node))
    found = known[id(node)]
    if found is None:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a value that contains itself")
    return found


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
    elif isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
