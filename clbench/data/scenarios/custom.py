"""Reads scenarios that a user declares in YAML, on data files of their own (JSON lines)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from clbench.core.errors import UserError, unknown
from clbench.core.io import read_yaml
from clbench.core.scenario import Kind, Part, Protocol, Scenario
from clbench.data import formats

KEYS = {
    "title", "kind", "data", "task_aware", "classes_per_experience", "labels", "domains", "tasks", "keys",
    "protocol", "citation", "license",
}  # fmt: skip
COLUMNS = ("text", "text_pair", "label", "domain")


def read_scenario(path: Path) -> Scenario:
    """The scenario of a YAML file. Labels and domains that it does not list are read from the training texts.

    Raises:
        UserError: The file or its data is invalid; the message names the key.
    """
    content = read_yaml(path, "scenario")
    if not isinstance(content, dict):
        raise UserError(f"scenario {path}: expected a mapping with keys such as 'kind' and 'data'")
    for key in set(content) - KEYS:
        raise UserError(f"scenario {path}: {unknown('key', str(key), KEYS)}")
    for key in ("kind", "data"):
        if key not in content:
            raise UserError(f"scenario {path}: the key '{key}' is missing")
    if content["kind"] not in get_args(Kind):
        raise UserError(f"scenario {path}: {unknown('kind', str(content['kind']), get_args(Kind))}")
    root = (path.parent / str(content["data"])).resolve()
    keys = _keys(path, content.get("keys", {}))
    task_aware = bool(content.get("task_aware", content["kind"] == "task"))
    try:
        return Scenario(
            name=path.stem,
            title=str(content.get("title", path.stem)),
            kind=content["kind"],
            parts=_parts(path, content, root, keys),
            task_aware=task_aware,
            source="folder",
            protocol=_protocol(path, content.get("protocol", {})),
            citation=str(content.get("citation", "")),
            license=str(content.get("license", "")),
            root=root if content["kind"] == "task" else root.parent,
            keys=keys,
        )
    except ValueError as error:
        raise UserError(f"scenario {path}: {error}") from error


def _parts(path: Path, content: Mapping[str, Any], root: Path, keys: Mapping[str, str]) -> tuple[Part, ...]:
    if content["kind"] == "task":
        names = content.get("tasks") or sorted(each.name for each in root.iterdir() if each.is_dir())
        return tuple(Part(name, name, _seen(root, name, keys, "label")) for name in map(str, names))
    labels = tuple(map(str, content.get("labels") or _seen(root.parent, root.name, keys, "label")))
    if content["kind"] == "domain":
        domains = content.get("domains") or _seen(root.parent, root.name, keys, "domain")
        return tuple(Part(domain, root.name, labels, domain) for domain in map(str, domains))
    size = content.get("classes_per_experience", 1)
    if not isinstance(size, int) or size < 1 or len(labels) % size:
        raise UserError(
            f"scenario {path}: classes_per_experience is {size} and must be a divisor of {len(labels)}, "
            "the number of classes"
        )
    groups = [labels[at : at + size] for at in range(0, len(labels), size)]
    return tuple(Part("+".join(group), root.name, group) for group in groups)


def _seen(root: Path, dataset: str, keys: Mapping[str, str], column: str) -> tuple[str, ...]:
    """The distinct values of a column of the training texts, sorted."""
    values = formats.load(root, dataset, keys=keys)["train"][:][column]
    found = sorted({value for value in values if value is not None})
    if not found:
        raise UserError(f"{root / dataset}: no training text has a '{keys.get(column, column)}'")
    return tuple(found)


def _keys(path: Path, given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise UserError(f"scenario {path}: keys: expected a mapping such as 'text: body'")
    for key in set(given) - set(COLUMNS):
        raise UserError(f"scenario {path}: {unknown('entry of keys', str(key), COLUMNS)}")
    return {str(key): str(value) for key, value in given.items()}


def _protocol(path: Path, given: Any) -> Protocol:
    names = [each.name for each in dataclasses.fields(Protocol)]
    if not isinstance(given, dict):
        raise UserError(f"scenario {path}: protocol: expected a mapping such as 'epochs: 5'")
    for key, value in given.items():
        if key not in names:
            raise UserError(f"scenario {path}: {unknown('entry of protocol', str(key), names)}")
        if not isinstance(value, int | float) or value < 0:
            raise UserError(
                f"scenario {path}: protocol: {key} is '{value}' and must be a number of at least 0"
            )
    return Protocol(**given)
