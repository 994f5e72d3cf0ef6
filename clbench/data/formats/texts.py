"""Folders of folders of text files, and lines of fastText."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError
from clbench.data.formats.content import read_lines, read_text
from clbench.data.formats.rows import Raw, in_order

PREFIX = "__label__"
_LINE = re.compile(rf"\s*{PREFIX}(\S+)(?:\s+(.*?))?\s*")


def read_fasttext(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """``label`` and ``text`` of lines such as ``__label__billing the invoice is wrong``."""
    numbers, labels, texts = [], [], []
    for number, line in read_lines(path, source.encoding):
        found = _LINE.fullmatch(line)
        if found is None:
            raise UserError(f"{path}, line {number}: expected '{PREFIX}' and a label, then the text")
        label, text = found.groups(default="")
        if text.startswith(PREFIX):
            raise UserError(f"{path}, line {number}: two labels; each text has one")
        numbers.append(number)
        labels.append(label)
        texts.append(text)
    return Raw({"label": labels, "text": texts}, ("label", "text"), lambda at: f"{path}, line {numbers[at]}")


def read_text_folders(path: Path, source: DataSource, wanted: Sequence[str]) -> Raw:
    """``label`` and ``text`` of a folder that has a folder for each class, with a file for each text."""
    files: list[Path] = []
    labels: list[str] = []
    folders = {each.name: each for each in path.iterdir() if is_class(each)}
    for name in in_order(folders):
        found = {each.name: each for each in folders[name].iterdir() if not each.name.startswith(".")}
        for file in in_order(found):
            if not found[file].is_file():
                raise UserError(f"{found[file]}: expected a file with one text; '{name}' is taken as a class")
            files.append(found[file])
            labels.append(name)
    texts = [read_text(file, source.encoding).replace("\r\n", "\n") for file in files]
    return Raw({"label": labels, "text": texts}, ("label", "text"), lambda at: str(files[at]))


def is_class(path: Path) -> bool:
    """Whether a folder is taken as a class: hidden ones are not."""
    return path.is_dir() and not path.name.startswith(".")
