"""Tiny datasets in each form of files, and what is read of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError
from clbench.data.formats import read

TRAIN = [
    ('said "no", twice', "b"),
    ("two\nlines", "a"),
    ("tab\there", "a"),
    ("é \U0001f600", "b"),
    ("plain", "b"),
]
TEST = [("one", "a"), ("two", "b")]
FLAT = [(" ".join(text.split()), label) for text, label in TRAIN]


def table(path: Path, **options: object) -> dict[str, list[tuple[str, str]]]:
    splits = read(DataSource(path, **options)).splits  # type: ignore[arg-type]
    return {name: list(zip(rows["text"], rows["label"], strict=True)) for name, rows in splits.items()}


def error_of(path: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        table(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    return message.replace(str(path), "HERE")


def columns(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {"text": [text for text, _ in rows], "label": [label for _, label in rows]}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_jsonl(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join(_json({"text": t, "label": label}) + "\n" for t, label in rows), encoding="utf-8")


def as_json(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text(_json([{"text": text, "label": label} for text, label in rows]), encoding="utf-8")


def as_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def as_tsv(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows]))


def as_fasttext(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join(f"__label__{label} {text}\n" for text, label in rows))


def as_parquet(path: Path, rows: list[tuple[str, str]]) -> None:
    parquet.write_table(pa.table(columns(rows)), path)


WRITERS = {
    "jsonl": (as_jsonl, TRAIN),
    "json": (as_json, TRAIN),
    "csv": (as_csv, TRAIN),
    "parquet": (as_parquet, TRAIN),
    "tsv": (as_tsv, FLAT),
    "txt": (as_fasttext, FLAT),
}
"""By the ending of a file, what writes it, and the rows that such a file can hold."""
