"""From a declared source of data to its splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.core.data_source import COLUMNS, DataSource, Format
from clbench.core.errors import UserError, unknown
from clbench.core.scenario import SPLITS
from clbench.data.formats import arrow, delimited, json_lines, texts
from clbench.data.formats.find import Found, find, form_of, named
from clbench.data.formats.rows import Place, Raw, Split, checked, lookalikes
from clbench.data.holdout import hold_out, take

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

READERS: Mapping[Format, Callable[[Path, DataSource, Sequence[str]], Raw]] = {
    "jsonl": json_lines.read_json_lines,
    "json": json_lines.read_json_array,
    "csv": delimited.read_csv,
    "tsv": delimited.read_tsv,
    "glue": delimited.read_glue,
    "parquet": arrow.read_parquet,
    "fasttext": texts.read_fasttext,
    "text-folders": texts.read_text_folders,
}
"""By form, the reader of one file (or folder) of one split; saved datasets and the hub come as a whole."""


@dataclass(frozen=True)
class Table:
    """A dataset that was read.

    Attributes:
        splits: ``train``, ``test`` and, if there is one, ``validation``, with the columns ``text`` (str),
            ``text_pair`` (str or None), ``label`` (str) and ``domain`` (str or None), in the order of the
            data. An unlabeled corpus has only ``train`` and ``text``.
        notes: What was decided on the way and what is suspicious, a sentence each.
        places: By split, where each row is in the files.
    """

    splits: DatasetDict
    notes: tuple[str, ...] = ()
    places: Mapping[str, Place] | None = None


def read(source: DataSource, *, labeled: bool = True) -> Table:
    """The splits of a dataset; nothing is kept of it, so a file that changed is always read anew.

    Raises:
        UserError: It cannot be read, or a split or value is missing or wrong; it names file and line.
    """
    from datasets import DatasetDict

    splits, notes = _splits(source, labeled)
    if source.test_share:
        if "test" in splits:
            raise UserError(f"{source.name}: test_share is {source.test_share}, but there is a test split")
        train = splits["train"]
        kept, held = hold_out(train.columns, source.test_share, f"test {source.seed}")
        splits = {**splits, "train": _part(train, kept), "test": _part(train, held)}
        notes.append(
            f"test: {source.test_share:.0%} of the training texts of each label ({len(held)} texts), "
            f"chosen by seed {source.seed}"
        )
    if labeled and "test" not in splits:
        raise UserError(
            f"{source.name} has no test split, such as test.jsonl; 'test_share: 0.2' in a scenario's YAML "
            "takes one from the training texts"
        )
    tables = {name: _dataset(splits[name].columns) for name in SPLITS if name in splits}
    return Table(DatasetDict(tables), tuple(notes), {name: splits[name].place for name in tables})


def load(data_dir: Path, dataset: str, *, labeled: bool = True) -> DatasetDict:
    """The splits of a dataset in the folder of all datasets, whose texts are known: see ``read``.

    Args:
        data_dir: The folder of all datasets.
        dataset: The name of one.
        labeled: Whether texts have labels; an unlabeled corpus has only the split ``train``.
    """
    return read(in_folder(data_dir, dataset), labeled=labeled).splits


def in_folder(data_dir: Path | None, dataset: str) -> DataSource:
    """A dataset in the folder of all datasets.

    Raises:
        UserError: No folder is named, or it or the dataset is missing.
    """
    if data_dir is None:
        raise UserError(
            f"dataset '{dataset}' is in a data folder: name it with --data-dir or the environment variable "
            "CLBENCH_DATA"
        )
    if not data_dir.is_dir():
        raise UserError(
            f"data folder {data_dir} does not exist; "
            "--data-dir or CLBENCH_DATA must name the folder that holds the datasets"
        )
    folder = data_dir / dataset
    if not folder.is_dir():
        known = [path.name for path in data_dir.iterdir() if any(path.glob("train.*"))]
        raise UserError(f"{unknown('dataset', dataset, known)} (in {data_dir})")
    return DataSource(folder, pinned=True)


def _splits(source: DataSource, labeled: bool) -> tuple[dict[str, Split], list[str]]:
    """The checked splits that are there, and notes on them."""
    wanted = list(dict.fromkeys(source.key(column) for column in (COLUMNS if labeled else ("text",))))
    notes = []
    if source.path is None:
        whole, found = arrow.read_hub(source, wanted), Found(None, {})
    else:
        found = find(source)
        whole = arrow.read_saved(source, wanted) if found.format == "saved" else {}
    if found.format == "glue":
        source = replace(source, splits={"train": "train", "test": "dev", **source.splits}, keys={})
        wanted = list(COLUMNS)
        notes.append(
            f"test: GLUE's split '{source.splits['test']}', as the labels of its test split are not public"
        )
    names = named(source, whole or found.files)
    if "train" not in names:
        raise UserError(f"{source.name} has no split 'train'; there are: {', '.join(whole or found.files)}")
    splits = {}
    for split, name in names.items():
        if not labeled and split != "train":
            continue
        raws = (
            [whole[name]]
            if whole
            else [_read(path, found.format, source, wanted) for path in found.files[name]]
        )
        what = str(found.files[name][0]) if name in found.files else f"{source.name}, {name}"
        splits[split] = checked(_joined(raws), source, what, labeled=labeled)
        if splits[split].dropped:
            notes.append(f"{split}: {splits[split].dropped} empty texts dropped")
    if labeled:
        labels = {label for split in splits.values() for label in split.columns["label"] if label is not None}
        notes += [
            f"labels {' and '.join(repr(each) for each in group)} differ only in white space or case"
            for group in lookalikes(labels)
        ]
    return splits, notes


def _read(path: Path, format: Format | None, source: DataSource, wanted: Sequence[str]) -> Raw:
    reader = READERS[format or form_of(path) or "jsonl"]
    return reader(path, source, wanted)


def _joined(raws: Sequence[Raw]) -> Raw:
    """The rows of several files of one split, one after the other."""
    if len(raws) == 1:
        return raws[0]
    sizes = [len(next(iter(raw.columns.values()))) for raw in raws]
    places = [(raw, at) for raw, size in zip(raws, sizes, strict=True) for at in range(size)]
    columns = {
        key: [
            value
            for raw, size in zip(raws, sizes, strict=True)
            for value in raw.columns.get(key, [None] * size)
        ]
        for key in dict.fromkeys(key for raw in raws for key in raw.columns)
    }
    return Raw(columns, raws[0].known, lambda at: places[at][0].place(places[at][1]))


def _part(split: Split, places: list[int]) -> Split:
    return Split(take(split.columns, places), lambda at: split.place(places[at]))


def _dataset(columns: Mapping[str, list[str | None]]) -> Dataset:
    from datasets import Dataset, Features, Value

    return Dataset.from_dict(dict(columns), features=Features(dict.fromkeys(columns, Value("string"))))
