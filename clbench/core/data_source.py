"""Where the texts of one dataset are, and how its files are read: facts only, no reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["jsonl", "json", "csv", "tsv", "glue", "parquet", "saved", "text-folders", "fasttext"]
"""The forms of data on disk."""
Encoding = Literal["utf-8", "utf-16", "latin-1", "cp1252"]
COLUMNS = ("text", "text_pair", "label", "domain")
"""What each text has; ``text_pair`` and ``domain`` can be absent."""


@dataclass(frozen=True)
class DataSource:
    """One dataset on disk or on the Hugging Face Hub.

    Attributes:
        path: A file or a folder; None for a dataset on the hub.
        hub: The name of a dataset on the hub, such as ``clinc/clinc_oos``.
        config: The configuration of a dataset on the hub that has several.
        revision: The commit of a dataset on the hub.
        format: The form of the files; None tells it from their names.
        keys: The names in the data of ``text``, ``text_pair``, ``label`` and ``domain``, where they differ.
        columns: The columns of CSV and TSV files that have no header.
        separator: What separates the cells of a CSV file.
        encoding: Of text files.
        splits: The names in the data of ``train``, ``validation`` and ``test``, where they are not the usual.
        test_share: Share of the training texts of each label that becomes the test split.
        seed: Decides which texts those are.
        empty_texts: What becomes of texts that are empty or only white space.
        pinned: Whether the texts are known by their hash: they are taken as they are, white space and NUL
            included.
    """

    path: Path | None = None
    hub: str = ""
    config: str = ""
    revision: str = ""
    format: Format | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    separator: str = ","
    encoding: Encoding = "utf-8"
    splits: Mapping[str, str] = field(default_factory=dict)
    test_share: float = 0.0
    seed: int = 0
    empty_texts: Literal["refuse", "drop"] = "refuse"
    pinned: bool = False

    @property
    def name(self) -> str:
        """Its name for people: the path, or the dataset on the hub."""
        return f"{self.hub}@{self.revision}" if self.path is None else str(self.path)

    def key(self, column: str) -> str:
        """The name in the data of one of ``COLUMNS``."""
        return self.keys.get(column, column)
