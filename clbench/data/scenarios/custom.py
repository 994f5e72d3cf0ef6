"""Scenarios that a user declares in YAML, on data of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.core.data_source import DataSource
from clbench.core.drift import Drift
from clbench.core.errors import UserError, unknown
from clbench.core.io import read_yaml
from clbench.core.scenario import Part, Protocol, Scenario
from clbench.data import formats
from clbench.data.orders import divided, drifting, shuffled, visited

if TYPE_CHECKING:
    from clbench.data.scenarios.declaration import Declaration, Hub


def read_scenario(path: Path) -> Scenario:
    """The scenario of a YAML file. Labels and domains that it does not list are read from the training texts.

    Raises:
        UserError: The file or its data is invalid; the message names the key.
    """
    from clbench.data.scenarios.declaration import declaration  # imports pydantic

    found = declaration(path, read_yaml(path, "scenario"))
    sources = _sources(path, found)
    try:
        return Scenario(
            name=path.stem,
            title=found.title or path.stem,
            kind=found.kind,
            parts=_along(found, _parts(path, found, sources)),
            task_aware=found.kind == "task" if found.task_aware is None else found.task_aware,
            source="folder",
            protocol=Protocol(**found.protocol.model_dump(exclude_none=True)),
            citation=found.citation or "",
            license=found.license or "",
            sources=sources,
            repeats=found.visits > 1,
            encoder_drift=found.encoder_drift,
            subset=found.labels is not None or found.domains is not None,
        )
    except ValueError as error:
        raise UserError(f"scenario {path}: {error}") from error


def _sources(path: Path, found: Declaration) -> dict[str, DataSource]:
    """The datasets by name: one, or one for each task."""
    common = DataSource(
        format=found.format,
        keys=found.keys.model_dump(exclude_none=True),
        columns=tuple(found.columns or ()),
        separator=found.separator,
        encoding=found.encoding,
        splits=found.splits.model_dump(exclude_none=True),
        test_share=found.test_share,
        seed=found.seed,
        empty_texts=found.empty_texts,
    )
    if isinstance(found.data, dict):
        there = {name: _source(path, common, place) for name, place in found.data.items()}
        names = list(there)
    else:
        one = _source(path, common, found.data)
        if found.kind != "task":
            return {one.hub.rpartition("/")[2] if one.path is None else _name(one.path): one}
        if one.path is None or not one.path.is_dir():
            raise UserError(f"scenario {path}: data is '{found.data}'; kind task needs a folder of datasets")
        entries = [each for each in one.path.iterdir() if not each.name.startswith(".")]
        there = {_name(each): replace(common, path=each) for each in sorted(entries)}
        names = formats.in_order(there)
    for name in found.tasks or ():
        if name not in there:
            raise UserError(f"scenario {path}: {unknown('entry of tasks', name, there)}")
    return {name: there[name] for name in found.tasks or names}


def _source(path: Path, common: DataSource, place: str | Hub) -> DataSource:
    """One dataset: on the hub, or a file or folder from the place of the scenario's file."""
    if not isinstance(place, str):
        keys = {**common.keys, **place.keys.model_dump(exclude_none=True)}
        config = place.config or ""
        return replace(common, hub=place.hub, revision=place.revision, config=config, keys=keys)
    found = (path.parent / place).resolve()
    if not found.exists():
        near = [each.name for each in found.parent.iterdir()] if found.parent.is_dir() else []
        raise UserError(
            f"scenario {path}: data: {unknown('file or folder', found.name, near)} (in {found.parent})"
        )
    return replace(common, path=found)


def _name(place: Path) -> str:
    """A dataset's name: of a folder, or of a file without its ending."""
    return place.name if place.is_dir() else place.name.partition(".")[0]


def _parts(path: Path, found: Declaration, sources: dict[str, DataSource]) -> tuple[Part, ...]:
    if found.kind == "task":
        names = _ordered(found, list(sources))
        return tuple(Part(name, name, _seen(sources[name], "label")) for name in names)
    ((dataset, source),) = sources.items()
    labels = _chosen(path, "labels", found.labels, source, "label")
    if found.kind == "domain":
        domains = _chosen(path, "domains", found.domains, source, "domain")
        return tuple(Part(domain, dataset, tuple(labels), domain) for domain in _ordered(found, domains))
    sizes = 1 if found.kind == "language-model" else found.classes_per_experience
    if isinstance(sizes, int):
        count = -(-len(labels) // sizes)
        sizes = [*[sizes] * (count - 1), len(labels) - sizes * (count - 1)]
    elif sum(sizes) != len(labels):
        raise UserError(
            f"scenario {path}: classes_per_experience adds up to {sum(sizes)}, but there are "
            f"{len(labels)} labels"
        )
    return divided(_ordered(found, labels), sizes, dataset)


def _along(found: Declaration, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The experiences as often as they are visited, and as they drift."""
    if found.visits > 1:
        parts = visited([parts] * found.visits)
    return parts if found.drift is None else drifting(parts, Drift(**found.drift.model_dump()))


def _ordered(found: Declaration, names: Sequence[str]) -> Sequence[str]:
    return shuffled(names, found.seed) if found.order == "random" else names


def _chosen(
    path: Path, key: str, given: Sequence[str] | None, source: DataSource, column: str
) -> Sequence[str]:
    """The values of a column that are listed, or else all; each listed one has training texts."""
    seen = _seen(source, column)
    for name in given or ():
        if name not in seen:
            raise UserError(f"scenario {path}: {unknown(f'entry of {key}', name, seen)}")
    return given or seen


def _seen(source: DataSource, column: str) -> tuple[str, ...]:
    """The distinct values of a column of the training texts, in order."""
    values = formats.read(source).splits["train"][:][column]
    found = formats.in_order(value for value in values if value is not None)
    if not found:
        raise UserError(f"{source.name}: no training text has a '{source.key(column)}'")
    return tuple(found)
