"""Loads a declared scenario as a stream of experiences with their texts."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from clbench.core.errors import UserError, unknown
from clbench.core.scenario import SPLITS, Experience, Part, Protocol, Scenario, Stage, Stream
from clbench.core.types import StreamKind
from clbench.data import formats, pydocs
from clbench.data.experience_texts import kept_texts, own_texts
from clbench.data.formats import Table
from clbench.data.holdout import Columns, apart, text_rows
from clbench.data.orders import arrange

_ALIKE = 0.8
"""A label of a single text is a misspelled one if it is at least so much like a declared one."""
_HASHED = ("text", "text_pair", "label", "domain")


def load_stream(
    scenario: Scenario,
    protocol: Protocol,
    *,
    data_dir: Path | None = None,
    order: int | str = 0,
    kind: StreamKind = "sequential",
    first: int | None = None,
    separate: bool = False,
) -> Stream:
    """Loads the texts of a scenario and divides them into experiences.

    Args:
        scenario: The scenario.
        protocol: Gives the limits on texts per class and the share of validation texts.
        data_dir: The data folder, for scenarios that read one.
        order: See :func:`~clbench.data.orders.arrange`.
        kind: How the experiences become stages: see :class:`~clbench.core.scenario.Stream`.
        first: Load only this many experiences of that order; the output columns stay the same.
        separate: Leave out training texts that are validation texts as well, for what those are to judge.

    Raises:
        UserError: The data does not match the declaration.
    """
    if first is not None and not 0 < first <= len(scenario.parts):
        raise UserError(f"experiences {first}: scenario '{scenario.name}' has 1 to {len(scenario.parts)}")
    tables, data = {}, {}
    for dataset in dict.fromkeys(part.dataset for part in scenario.parts):
        table = load_table(scenario, dataset, data_dir)
        splits = tables[dataset] = _columns(table.splits)
        data[dataset] = _checked(scenario, dataset, table, splits, protocol.validation_share)
    parts = arrange(scenario, order)[:first]
    own: Sequence[Mapping[str, Columns]] = [
        own_texts(scenario, protocol, part, tables[part.dataset]) for part in parts
    ]
    if separate:  # also from validation texts of other experiences
        seen = {text for splits in own for text in text_rows(splits["validation"])}
        own = [{**splits, "train": apart(splits["train"], seen)} for splits in own]
    kept = [kept_texts(scenario, protocol, *each) for each in zip(parts, own, strict=True)]
    experiences = tuple(
        _experience(scenario, index, part, splits)
        for index, (part, splits) in enumerate(zip(parts, kept, strict=True))
    )
    fingerprint = _fingerprint({part.name: splits for part, splits in zip(parts, kept, strict=True)})
    return Stream(scenario, kind, experiences, _stages(experiences, kind), fingerprint, data)


def of_kind(stream: Stream, kind: StreamKind) -> Stream:
    """The same texts in the same order, with other stages of training."""
    return dataclasses.replace(stream, kind=kind, stages=_stages(stream.experiences, kind))


def _stages(experiences: tuple[Experience, ...], kind: StreamKind) -> tuple[Stage, ...]:
    every = tuple(range(len(experiences)))
    if kind == "joint":
        return (Stage(_merged(experiences), every, merged=len(experiences)),)
    if kind == "single":
        return tuple(Stage(each, (each.index,), fresh=True) for each in experiences)
    return tuple(Stage(each, every) for each in experiences)


def load_table(scenario: Scenario, dataset: str, data_dir: Path | None) -> Table:
    """One table of a scenario's source, with the columns ``text``, ``text_pair``, ``label``, ``domain``."""
    if scenario.source == "pydocs":
        return Table(pydocs.load(dataset))
    if dataset in scenario.sources:
        return formats.read(scenario.sources[dataset])
    return formats.read(formats.in_folder(data_dir, dataset))


def generic_texts(data_dir: Path | None, given: Path | None = None) -> list[str]:
    """Unlabeled English text that belongs to no scenario.

    Args:
        data_dir: The data folder; its subfolder ``wiki``, if there is one, is the default.
        given: A folder of text to read instead: ``train.jsonl`` or ``train.jsonl.gz`` with a field ``text``,
            or else ``*.txt`` files, in which blank lines separate texts. Without either folder it is the
            documentation of libraries that are in no scenario.
    """
    if given is not None:
        return _texts_in(given)
    if data_dir is not None and (data_dir / "wiki").is_dir():
        return list(formats.load(data_dir, "wiki", labeled=False)["train"][:]["text"])
    return list(pydocs.load("general")["train"][:]["text"])


def _texts_in(given: Path) -> list[str]:
    if any((given / name).exists() for name in ("train.jsonl", "train.jsonl.gz")):
        return list(formats.load(given.parent, given.name, labeled=False)["train"][:]["text"])
    files = sorted(given.glob("*.txt"))
    try:
        found = [part for file in files for part in file.read_text(encoding="utf-8").split("\n\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"generic corpus {given}: {error}") from error
    texts = [" ".join(part.split()) for part in found if part.strip()]
    if not texts:
        raise UserError(f"generic corpus {given}: the folder needs train.jsonl(.gz) or *.txt files with text")
    return texts


def _experience(scenario: Scenario, index: int, part: Part, splits: Mapping[str, Columns]) -> Experience:
    columns = tuple(map(scenario.columns.index, scenario.owned(part)))
    datasets = {
        name: Dataset.from_dict({**split, "experience": [index] * len(split["text"])})
        for name, split in splits.items()
    }
    return Experience(index, part.name, columns, datasets)


def _columns(table: Mapping[str, Dataset]) -> dict[str, Columns]:
    """The splits of a dataset as lists: a column by itself is read row by row."""
    return {name: split[:] for name, split in table.items()}


def _checked(
    scenario: Scenario, dataset: str, table: Table, splits: Mapping[str, Columns], share: float
) -> dict[str, Any]:
    """The provenance of a dataset, after its labels and sizes were checked against the declaration."""
    facts = scenario.datasets.get(dataset)
    notes = list(table.notes)
    parts = [part for part in scenario.parts if part.dataset == dataset]
    labels = set(facts.labels) if facts else {label for part in parts for label in part.labels}
    domains = {part.domain for part in parts if part.domain is not None}
    for what, known in (("label", labels), ("domain", domains)):
        counts = Counter(each for split in splits.values() for each in split[what])
        for name, split in splits.items() if known else ():
            others = [at for at, each in enumerate(split[what]) if each not in known]
            wrong = _misspelled(split[what], others, known, counts) if scenario.subset else others
            if wrong:
                where = table.places[name](wrong[0]) if table.places else f"{dataset}, {name}"
                raise UserError(f"{where}: {unknown(what, str(split[what][wrong[0]]), known)}")
            if others:
                notes.append(f"{name}: {len(others)} texts left out, with another {what} than those declared")
    if "validation" not in splits:
        notes.append(
            f"validation: {share:.0%} of the training texts of each class (validation_share)"
            if share
            else "no validation texts: there is no such split, and validation_share is 0"
        )
    sizes = {name: len(split["label"]) for name, split in splits.items()}
    fingerprint = _digest(splits, _HASHED)
    version = None
    if facts is not None:
        fitting = [each for each in facts.versions if dict(each.sizes) == sizes]
        if not fitting:
            wanted = " or ".join(_sizes(each.sizes) for each in facts.versions)
            raise UserError(
                f"dataset '{dataset}' has {_sizes(sizes)} texts, but scenario '{scenario.name}' "
                f"needs {wanted}; declare a scenario of your own in a YAML file for other data"
            )
        version = next((each.name for each in fitting if each.fingerprint in ("", fingerprint)), None)
    return {
        "version": version,
        "sizes": sizes,
        "fingerprint": fingerprint,
        "test_texts_in_train": _overlap(splits),
        "notes": notes,
    }


def _misspelled(
    values: Sequence[Any], others: Sequence[int], known: Iterable[str], counts: Counter[Any]
) -> list[int]:
    """Which of ``others`` have a value of a single text that is nearly a known one: no class of its own."""
    single = [at for at in others if counts[values[at]] == 1]
    return [at for at in single if difflib.get_close_matches(str(values[at]), known, n=1, cutoff=_ALIKE)]


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} {name}" for name, size in sizes.items())


def overlap(table: Mapping[str, Dataset]) -> int:
    """The number of test texts (or pairs of texts) that are also training texts, character by character."""
    return _overlap(_columns(table))


def table_fingerprint(table: Mapping[str, Dataset]) -> str:
    """A hash of every row of every split of a dataset, in order."""
    return _digest(_columns(table), _HASHED)


def _overlap(table: Mapping[str, Columns]) -> int:
    train, test = table["train"], table["test"]
    seen = {*text_rows(train)}
    return sum(text in seen for text in text_rows(test))


def _digest(splits: Mapping[str, Columns], names: Sequence[str], start: bytes = b"") -> str:
    """A hash of ``start`` and of these columns, as far as there are such, of every split."""
    digest = hashlib.blake2b(start, digest_size=16)
    for name in SPLITS:
        columns = [splits[name][each] for each in names if each in splits[name]] if name in splits else []
        if columns:
            rows = zip([name] * len(columns[0]), *columns, strict=True)
            digest.update("".join(map(repr, rows)).encode())
    return digest.hexdigest()


def _merged(experiences: Sequence[Experience]) -> Experience:
    """All experiences as one; each text keeps the output columns of its own experience."""
    splits = {name: concatenate_datasets([each.splits[name] for each in experiences]) for name in SPLITS}
    columns = tuple(dict.fromkeys(column for each in experiences for column in each.columns))
    return Experience(0, "joint", columns, splits)


def _fingerprint(experiences: Mapping[str, Mapping[str, Columns]]) -> str:
    digests = sorted(
        _digest(splits, ("text", "text_pair", "column"), name.encode())
        for name, splits in experiences.items()
    )
    return hashlib.blake2b("".join(digests).encode(), digest_size=16).hexdigest()
