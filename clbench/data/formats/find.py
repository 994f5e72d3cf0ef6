"""Finds the files of each split of a dataset, and tells their form from their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clbench.core.data_source import DataSource, Format
from clbench.core.errors import UserError, unknown
from clbench.core.scenario import SPLITS
from clbench.data.formats.content import read_lines
from clbench.data.formats.delimited import glue_columns
from clbench.data.formats.texts import is_class

SUFFIXES: Mapping[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".parquet": "parquet", ".txt": "fasttext", ".ft": "fasttext", ".fasttext": "fasttext",
}  # fmt: skip
USUAL: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
"""The names of splits in data, by their names here."""
_SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")


@dataclass(frozen=True)
class Found:
    """The files of a dataset.

    Attributes:
        format: Of all files; None tells it for each from its name.
        files: By the names of the splits in the data; the rows of several files follow each other.
    """

    format: Format | None
    files: Mapping[str, tuple[Path, ...]]


def find(source: DataSource) -> Found:
    """The files of a dataset on disk, by the names of its splits.

    Raises:
        UserError: There is no such path, or no data that is read in it.
    """
    path = source.path
    assert path is not None
    if path.is_file():
        if source.format is None and form_of(path) is None:
            raise UserError(f"{path}: {unknown('ending', ''.join(path.suffixes), SUFFIXES)}")
        return Found(source.format, {"train": (path,)})
    if not path.is_dir():
        near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{path} does not exist: {unknown('file or folder', path.name, _visible(near))}")
    if source.format in (None, "saved") and any(
        (path / name).is_file() for name in ("dataset_dict.json", "state.json")
    ):
        return Found("saved", {})
    if source.format != "text-folders":
        files = _split_files(path, source) or _split_files(path / "data", source)
        if files:
            glue = source.format is None and not source.keys and _is_glue(files, source)
            return Found("glue" if glue else source.format, files)
    classes = [each for each in path.iterdir() if is_class(each)]
    splits = {each.name: (each,) for each in classes if any(each.name in names for names in USUAL.values())}
    if splits and all(any(map(is_class, folder.iterdir())) for (folder,) in splits.values()):
        return Found("text-folders", splits)
    if any(each.is_file() for folder in classes for each in folder.iterdir()):
        return Found("text-folders", {"train": (path,)})
    there = ", ".join(_visible(each.name for each in path.iterdir())[:8]) or "nothing"
    raise UserError(
        f"{path} has no training split: train.jsonl, .json, .csv, .tsv, .parquet or .txt (also with "
        f".gz), or a folder of texts for each class; there is {there}"
    )


def form_of(path: Path) -> Format | None:
    """The form of a file by the ending of its name; None if it is no data."""
    return SUFFIXES.get(Path(path.name.removesuffix(".gz")).suffix.lower())


def named(source: DataSource, there: Collection[str]) -> dict[str, str]:
    """The names in the data of the splits that are there, by ``train``, ``validation`` and ``test``.

    Raises:
        UserError: A split that ``splits`` names is not there, or two could be the same one.
    """
    for name in source.splits.values():
        if name not in there:
            raise UserError(f"{source.name}: {unknown('split', name, there)}")
    found = {}
    for split in SPLITS:
        if split in source.splits:
            found[split] = source.splits[split]
            continue
        names = [name for name in USUAL[split] if name in there and name not in source.splits.values()]
        if len(names) > 1:
            raise UserError(
                f"{source.name}: both {names[0]} and {names[1]} could be the {split} split; remove one"
            )
        if names:
            found[split] = names[0]
    return found


def _split_files(folder: Path, source: DataSource) -> dict[str, tuple[Path, ...]]:
    """The data files of a folder by split; of a file and its compressed form, the latter."""
    known = {each for names in USUAL.values() for each in names} | set(source.splits.values())
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        plain = path.name.removesuffix(".gz")
        name = _SHARD.sub("", Path(plain).stem)
        if name not in known or not path.is_file() or not (source.format or form_of(path)):
            continue
        files = found.setdefault(name, {})
        for other in files:
            if other != plain and not (_SHARD.search(Path(other).stem) and _SHARD.search(Path(plain).stem)):
                raise UserError(f"{folder}: both {other} and {plain} could be the split '{name}'; remove one")
        files[plain] = path  # in sorted order x.gz comes after x
    return {name: tuple(files.values()) for name, files in found.items()}


def _is_glue(files: Mapping[str, tuple[Path, ...]], source: DataSource) -> bool:
    """Whether ``train.tsv`` and ``dev.tsv`` have the header of a task of GLUE."""
    if not {"train", "dev"} <= set(files) or source.columns or form_of(files["train"][0]) != "tsv":
        return False
    lines = read_lines(files["train"][0], source.encoding)
    return bool(lines) and glue_columns(lines[0][1].split("\t")) is not None


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("."))
