"""Result files, read into one table with one row per run."""

from __future__ import annotations

import glob
import math
import os
import sys
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clbench.core.chance import is_at_chance
from clbench.core.errors import UserError, error_line
from clbench.core.language_metrics import LANGUAGE_METRICS, bits_per_byte
from clbench.core.language_result import is_language
from clbench.core.metrics import METRICS
from clbench.core.notes import Note
from clbench.core.result import RunResult
from clbench.core.result_fields import COSTS, KEY_USE
from clbench.core.result_paths import result_paths
from clbench.core.types import StreamKind
from clbench.reporting.names import display_names

RUN = ["scenario", "encoder", "method", "order", "seed"]
"""The columns that name one run."""
PANEL = ["scenario", "encoder"]
"""The columns that name one table: methods are compared on the same data and the same encoder."""

DIAGNOSTICS = (
    "dead_keys", "quantization_error", "unselected_changed", "keys_moved", "selections_changed",
)  # fmt: skip
"""What is taken from a method's diagnostics after its last experience."""


def load_results(paths: str | Path | Iterable[str | Path], *, strict: bool = True) -> pd.DataFrame:
    """One row per run, sorted by scenario, encoder, method, order and seed.

    Args:
        paths: One or more result files, globs, or folders, in which every ``order*-seed*.json``, or
            ``.json.xz``, at any depth is one.
        strict: Whether a file that is no valid result is an error; else it is named on standard error and
            left out.

    Returns:
        The columns ``scenario``, ``title``, ``encoder``, ``method``, ``name`` (of the method for readers, as
        :func:`~clbench.reporting.names.display_names` of all these results), ``order`` (str), ``seed``,
        ``stream`` (``sequential``, ``joint`` or ``single``), ``competes`` (bool: whether it can be the best
        method; joint training, a model per experience and a task-id oracle cannot), ``notes`` (tuple of
        :class:`~clbench.core.notes.Note`; joint training always has ``upper-bound``), ``at_chance`` (bool:
        see :func:`~clbench.core.chance.is_at_chance`), ``status`` (``done``, ``running``, ``failed``, or
        ``diverged`` after a loss that is no finite number), ``error`` and ``path``; ``metrics.<name>`` and
        ``costs.<group>.<name>`` as float, NaN where the file has null or
        nothing, among them ``costs.seconds.train_per_epoch``, the mean over experiences, and
        ``costs.seconds.after_encoding``, the total without encoding; ``wall_seconds``, what the run took
        with what was cached before;
        ``stream_accuracy_last``; ``diagnostics.<name>`` after the last experience, likewise;
        ``key_use.<name>`` after each experience and ``key_use.overlap`` with each one before it, empty for
        methods without keys; and as in the file ``accuracy`` and ``macro_f1`` (S rows of T),
        ``stream_accuracy`` (S), ``experience_names``, ``classes`` (of each
        experience, where test texts were counted), ``experiences`` (a mapping for each), ``diagnostics``,
        ``config`` and ``provenance``; ``task``; and of language models ``language`` as in the file,
        ``stream_bits`` and ``general_bits`` (S + 1, the untrained model first), which are empty for others.

    Raises:
        UserError: A path that does not exist, a file that is not a result, the same run twice, or no
            result at all. Without ``strict``, a file that is not a result is an error if no other is left.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    # realpath, as Path.resolve raises an error of its own at a link to itself
    files = {os.path.realpath(path): path for text in map(str, paths) for path in _files(text)}
    if not files:
        raise UserError("no result files given")
    frame = pd.DataFrame(list(_rows(files.values(), strict=strict)))
    _refuse_twice(frame)
    _refuse_lengths(frame)
    frame["name"] = frame["method"].map(display_names(frame))
    return frame.sort_values(RUN, ignore_index=True)


def _files(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = result_paths(path)
    elif path.exists():
        found = [path]
    elif glob.has_magic(text):
        # Path.glob takes no absolute pattern
        found = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
    else:
        raise UserError(f"{text}: no such file or folder; a result file or a folder of them is wanted")
    if not found:
        raise UserError(f"{text}: no result files (order<k>-seed<s>.json) there")
    return found


def _refuse_twice(frame: pd.DataFrame) -> None:
    """A run that counts twice would pass for two seeds."""
    paths: dict[Hashable, str] = {}
    for run, path in zip(frame[RUN].itertuples(index=False, name=None), frame["path"], strict=True):
        if run in paths:
            raise UserError(f"{path} is the same run as {paths[run]}; give only one of them")
        paths[run] = path


def _refuse_lengths(frame: pd.DataFrame) -> None:
    """Finished streams of one scenario have one length, or their mean would mix different things."""
    streams = frame[(frame["status"] == "done") & (frame["stream"] != "joint")]
    lengths = streams["stream_accuracy"].map(len)
    first = lengths.groupby(streams["scenario"]).transform("first")
    if (lengths != first).any():
        path = streams.loc[lengths != first, "path"].iloc[0]
        raise UserError(f"{path} has another number of stages than other runs of its scenario")


def _rows(files: Collection[Path], *, strict: bool) -> Iterator[dict[str, Any]]:
    broken: list[UserError] = []
    for path in files:
        try:
            yield _row(path)
        except UserError as error:
            broken.append(error)
            if strict or len(broken) == len(files):
                raise
            print(error_line(error), file=sys.stderr)


def _row(path: Path) -> dict[str, Any]:
    result = RunResult.read(path)
    config = result.config
    stream: StreamKind = config["stream"]
    notes = {*result.notes, *((Note("upper-bound"),) if stream == "joint" else ())}
    row: dict[str, Any] = {
        "scenario": config["scenario"],
        "title": config.get("title") or config["scenario"],
        "encoder": config["encoder"],
        "method": config["method"],
        "order": str(config["order"]),
        "seed": config["seed"],
        "stream": stream,
        "competes": stream == "sequential" and all(note.kind != "task-id-oracle" for note in notes),
        "notes": tuple(sorted(notes)),
        "at_chance": is_at_chance(result),
        "status": result.outcome,
        "error": result.error or "",
        "path": path.as_posix(),
    }
    row |= {f"metrics.{name}": _number(result.metrics.get(name)) for name in (*METRICS, *LANGUAGE_METRICS)}
    for group, names in COSTS.items():
        spent = result.costs.get(group)
        for name in names:
            row[f"costs.{group}.{name}"] = _number(spent.get(name)) if isinstance(spent, dict) else math.nan
    row["task"] = "language-model" if is_language(config) else "classification"
    language = result.language
    row["stream_bits"] = [*_whole(language), *language.get("stream", ())]
    row["general_bits"] = [*filter(None, [language.get("untrained_general")]), *language.get("general", ())]
    row["language"] = language
    row["accuracy"] = result.accuracy
    row["macro_f1"] = result.macro_f1
    row["stream_accuracy"] = result.stream_accuracy
    row["stream_accuracy_last"] = _number(result.stream_accuracy[-1] if result.stream_accuracy else None)
    entries = result.diagnostics.get("experiences") or []
    last = entries[-1] if entries else {}
    row |= {f"diagnostics.{name}": _number(last.get(name)) for name in DIAGNOSTICS}
    with_keys = [each for each in entries if "overlap" in each]
    for name in (*KEY_USE, "overlap"):
        row[f"key_use.{name}"] = [each[name] for each in with_keys]
    row["wall_seconds"] = _number(result.costs.get("wall_seconds"))
    row["costs.seconds.train_per_epoch"] = _epoch_seconds(result.experiences)
    row["costs.seconds.after_encoding"] = row["costs.seconds.total"] - row["costs.seconds.encode"]
    row["experience_names"] = [str(one.get("name", "")) for one in result.experiences]
    row["experiences"] = result.experiences
    row["classes"] = _classes(result)
    row["diagnostics"] = result.diagnostics
    row["config"] = config
    row["provenance"] = result.provenance
    return row


def _classes(result: RunResult) -> list[list[str]]:
    """The classes of the test texts of each experience, from the counts of the last stage, if it has them."""
    names = result.config.get("columns") or []
    return [
        [names[true] for true in sorted({cell[0] for cell in cells}) if true < len(names)]
        for cells in (result.confusion[-1] if result.confusion and result.status == "done" else [])
    ]


def _whole(language: Mapping[str, Any]) -> list[float]:
    """Bits per byte of all test texts before any training, if there are any."""
    counts = language.get("untrained_counts")
    return (
        bits_per_byte([sum(nats for nats, _ in counts)], [sum(count for _, count in counts)])
        if counts
        else []
    )


def classified(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs that learn classes."""
    return frame[frame["task"] == "classification"]


def generative(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of language models."""
    return frame[frame["task"] == "language-model"]


def _epoch_seconds(experiences: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of training per epoch, mean over the experiences that have them; NaN without any."""
    seconds = [one.get("seconds") for one in experiences]
    per_epoch = [each.get("train_per_epoch") for each in seconds if isinstance(each, dict)]
    values = [each for each in per_epoch if each is not None]
    return sum(values) / len(values) if values else math.nan


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
