"""Parquet files, datasets saved by the library ``datasets``, and datasets on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError, message
from clbench.data.formats.rows import Raw, refuse_twice

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from pyarrow import ChunkedArray, Table


def read_parquet(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """The columns ``wanted`` of a Parquet file.

    The file itself is read: ``datasets`` would prepare a copy that stays when the file changes.
    """
    import pyarrow as pa
    from datasets import Features
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            there = [name for name in wanted if name in schema.names] or schema.names[:1]
            refuse_twice(schema.names, there, str(path))
            table = file.read(columns=there)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {message(error)}") from error
    known = Features.from_arrow_schema(schema) if b"huggingface" in (schema.metadata or {}) else {}
    return _raw(table, schema.names, known, str(path))


def read_saved(source: DataSource, wanted: Sequence[str]) -> dict[str, Raw]:
    """The splits of a folder that ``save_to_disk`` wrote; a single dataset is the split ``train``."""
    from datasets import load_from_disk

    assert source.path is not None
    try:
        found = load_from_disk(str(source.path), keep_in_memory=True)
    except Exception as error:  # the library lets errors of JSON, Arrow, types and files through
        raise UserError(f"{source.path} cannot be read as a saved dataset: {message(error)}") from error
    return _splits(found if isinstance(found, dict) else {"train": found}, wanted, source)


def read_hub(source: DataSource, wanted: Sequence[str]) -> dict[str, Raw]:
    """The splits of a dataset on the hub at one revision. No code of the dataset is run."""
    from datasets import load_dataset_builder

    try:
        builder = load_dataset_builder(source.hub, source.config or None, revision=source.revision)
        # Where the hub does not answer, the library takes whatever revision it has kept.
        if builder.hash == source.revision:
            builder.download_and_prepare()
            return _splits(builder.as_dataset(in_memory=True), wanted, source)
    except Exception as error:  # the library lets errors of the network, of files and of the dataset through
        raise UserError(f"dataset {source.name} on the hub: {message(error)}") from error
    raise UserError(f"dataset {source.name} on the hub cannot be reached; what is kept here is another one")


def _splits(found: Mapping[str, Dataset], wanted: Sequence[str], source: DataSource) -> dict[str, Raw]:
    splits = {}
    for name, dataset in found.items():
        there = [each for each in wanted if each in dataset.column_names] or dataset.column_names[:1]
        table = dataset.select_columns(there).with_format("arrow")[:]
        splits[name] = _raw(table, dataset.column_names, dataset.features, f"{source.name}, {name}")
    return splits


def _raw(table: Table, known: Sequence[str], features: Features | Mapping[str, Any], where: str) -> Raw:
    from datasets import ClassLabel

    named: dict[str, list[Any]] = {}
    for name in table.column_names:
        values = _values(table.column(name), f"{where}, row {{}}: '{name}'")
        feature = features.get(name)
        named[name] = (
            [_name(feature, value) for value in values] if isinstance(feature, ClassLabel) else values
        )
    return Raw(named, known, lambda at: f"{where}, row {at + 1}")


def _values(column: ChunkedArray, place: str) -> list[Any]:
    """A column as Python values; a text that is not UTF-8, which Arrow does not check, is named."""
    try:
        return cast("list[Any]", column.to_pylist())
    except UnicodeDecodeError:
        for at, value in enumerate(column, start=1):
            try:
                value.as_py()
            except UnicodeDecodeError as error:
                raise UserError(f"{place.format(at)} is not UTF-8: {error.reason}") from error
        raise


def _name(feature: Any, value: int | None) -> str | None:
    """The name of a class; None for -1, which stands for a label that is not public."""
    return feature.names[value] if value is not None and 0 <= value < len(feature.names) else None
