"""Converts the original files of each dataset to rows with ``text``, ``label``, ``text_pair`` and ``domain``.

Each run of white space becomes one space; nothing else is changed. The test labels of GLUE are not public, so
its development split becomes ``test``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from clbench.core.errors import UserError
from clbench.data.scenarios.orders import DSC_DOMAINS

Row = dict[str, str]
Splits = dict[str, list[Row]]
SPLITS_OF = {"train": "train", "dev": "validation", "test": "test"}


def _reuters(files: Mapping[str, Path]) -> Splits:
    """Files with lines of label, tab, text."""
    splits: Splits = {}
    for name, path in files.items():
        rows = [{"text": clean(text), "label": label} for label, text in _columns(path, (0, 1), header=False)]
        splits[Path(name).stem] = rows
    return splits


def _newsgroups(files: Mapping[str, Path]) -> Splits:
    """One file with split and label per line, and one with the texts, in the same order."""
    (names,) = (path for name, path in files.items() if "corpus" not in name)
    (corpus,) = (path for name, path in files.items() if "corpus" in name)
    texts = _lines(corpus, "latin-1")
    splits: Splits = {"train": [], "test": []}
    for (split, label), text in zip(_columns(names, (1, 2), header=False), texts, strict=True):
        splits[split.rpartition("-")[2]].append({"text": clean(text), "label": label})
    return splits


def _reviews(files: Mapping[str, Path]) -> Splits:
    """One file per domain and split, with lines of text, tab, 1 or -1."""
    splits: Splits = {"train": [], "validation": [], "test": []}
    labels = {"1": "positive", "-1": "negative"}
    for domain in DSC_DOMAINS:
        for ending, split in SPLITS_OF.items():
            (path,) = (path for name, path in files.items() if name.endswith(f"/{domain}_{ending}.tsv"))
            splits[split] += [
                {"text": clean(text), "label": labels[label], "domain": domain}
                for text, label in _columns(path, (0, 1), header=False)
            ]
    return splits


def _glue(places: Sequence[int], labels: Mapping[str, str]) -> Callable[[Mapping[str, Path]], Splits]:
    """``train.tsv`` and ``dev.tsv`` with a header; ``places`` are the columns of the texts and the label."""

    def rows(files: Mapping[str, Path]) -> Splits:
        by_name = {Path(name).name: path for name, path in files.items()}
        return {
            split: [_pair(texts, labels[label]) for *texts, label in _columns(by_name[name], places)]
            for split, name in (("train", "train.tsv"), ("test", "dev.tsv"))
        }

    return rows


def _paraphrases(files: Mapping[str, Path]) -> Splits:
    """``dev.tsv``, and the original training file without the pairs that ``dev_ids.tsv`` lists."""
    by_name = {Path(name).name: path for name, path in files.items()}
    labels = {"0": "not_equivalent", "1": "equivalent"}
    held = set(_columns(by_name["dev_ids.tsv"], (0, 1), header=False))
    train = _columns(by_name["msr_paraphrase_train.txt"], (0, 1, 2, 3, 4))
    return {
        "train": [
            _pair((first, second), labels[label])
            for label, one, two, first, second in train
            if (one, two) not in held
        ],
        "test": [_pair((a, b), labels[label]) for label, a, b in _columns(by_name["dev.tsv"], (0, 3, 4))],
    }


def _pair(texts: Sequence[str], label: str) -> Row:
    first, *second = texts
    pair = {"text_pair": clean(second[0])} if second else {}
    return {"text": clean(first), **pair, "label": label}


def _clinc(files: Mapping[str, Path]) -> Splits:
    """One JSON object with lists of text and label by split; out-of-scope texts are other lists."""
    (path,) = files.values()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            split: [{"text": clean(text), "label": label} for text, label in content[name]]
            for split, name in (("train", "train"), ("validation", "val"), ("test", "test"))
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the lists of CLINC150: {error}") from error


def _banking(files: Mapping[str, Path]) -> Splits:
    """CSV files with the columns text and category."""
    splits: Splits = {}
    for name, path in files.items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [{"text": clean(row["text"]), "label": row["category"]} for row in csv.DictReader(file)]
        splits[Path(name).stem] = rows
    return splits


def _seq_in(files: Mapping[str, Path]) -> Splits:
    """A folder per split with the texts in ``seq.in`` and their labels in ``label``, line by line."""
    splits: Splits = {}
    for folder, split in (("train", "train"), ("valid", "validation"), ("test", "test")):
        (texts,) = (_lines(path) for name, path in files.items() if name.endswith(f"/{folder}/seq.in"))
        (labels,) = (_lines(path) for name, path in files.items() if name.endswith(f"/{folder}/label"))
        rows = zip(texts, labels, strict=True)
        splits[split] = [{"text": clean(text), "label": label} for text, label in rows]
    return splits


def clean(text: str) -> str:
    """``text`` with each run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def _lines(path: Path, encoding: str = "utf-8-sig") -> list[str]:
    text = path.read_text(encoding=encoding)
    # str.splitlines would also split at separators that occur inside texts.
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _columns(path: Path, places: Sequence[int], *, header: bool = True) -> Iterator[tuple[str, ...]]:
    for number, line in enumerate(_lines(path), start=1):
        if header and number == 1:
            continue
        cells = line.split("\t")
        if len(cells) <= max(places):
            raise UserError(f"{path}, line {number}: expected {max(places) + 1} columns, found {len(cells)}")
        yield tuple(cells[place] for place in places)


CONVERTERS: dict[str, Callable[[Mapping[str, Path]], Splits]] = {
    "r8": _reuters,
    "r52": _reuters,
    "20ng": _newsgroups,
    "dsc": _reviews,
    "rte": _glue((1, 2, 3), {label: label for label in ("entailment", "not_entailment")}),
    "sst2": _glue((0, 1), {"0": "negative", "1": "positive"}),
    "qqp": _glue((3, 4, 5), {"0": "not_duplicate", "1": "duplicate"}),
    "mrpc": _paraphrases,
    "clinc150": _clinc,
    "banking77": _banking,
    "hwu64": _seq_in,
}
"""By dataset: its rows by split, in the order of its files, from the files by path in the repository."""
