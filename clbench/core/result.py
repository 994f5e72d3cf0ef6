"""The result of one run: the content of its result file, from which tables and figures are made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from clbench.core import metrics
from clbench.core.errors import UserError
from clbench.core.io import write_json
from clbench.core.notes import Note
from clbench.core.provenance import without_secrets
from clbench.core.result_check import checked
from clbench.core.result_schema import SCHEMA

Outcome = Literal["running", "done", "failed", "diverged"]
"""How a run ended, for readers: see ``RunResult.outcome``."""
Confusion = list[list[list[int]]]
"""Confusion counts of each experience: ``[true, predicted, count]`` of each cell that is not 0."""


@dataclass
class RunResult:
    """The result of one run, also of a run that is not finished.

    S is the number of finished stages, T the number of experiences, C the number of output columns.

    Attributes:
        config: The configuration with all defaults filled in.
        provenance: Commit, versions, machine, command, fingerprints of data and encoder.
        status: ``running``, ``done`` or ``failed``.
        error: The error of a failed run, in one line.
        accuracy: Accuracy on each experience after each stage, (S, T).
        macro_f1: Macro-F1 likewise, (S, T), each on the test texts of one experience.
        stream_accuracy: Accuracy on the union of all test sets after each stage, (S,).
        untrained_accuracy: Accuracy on each experience before any training, (T,).
        metrics: The metrics of the run by name (see ``clbench.core.metrics``); None where one is undefined.
        confusion: Confusion counts of each experience after each stage, (S, T), as sparse cells.
        untrained_confusion: Confusion counts of each experience before any training, (T,).
        costs: Seconds, FLOPs, parameters, bytes carried, peak memory.
        experiences: Name, sizes and costs of each stage.
        diagnostics: What the method reports about itself.
        language: What was measured of a language model, in place of accuracies: see
            ``clbench.core.language_result``; empty where classes are learned.
        path: The file that it was read from or last written to.
    """

    config: dict[str, Any]
    provenance: dict[str, Any]
    status: str = "running"
    error: str | None = None
    accuracy: list[list[float]] = field(default_factory=list)
    macro_f1: list[list[float]] = field(default_factory=list)
    stream_accuracy: list[float] = field(default_factory=list)
    untrained_accuracy: list[float] | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    confusion: list[Confusion] = field(default_factory=list)
    untrained_confusion: Confusion | None = None
    costs: dict[str, Any] = field(default_factory=dict)
    experiences: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    language: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def stages(self) -> int:
        """S, how many stages are finished."""
        return len(self.language.get("bits_per_byte", ())) or len(self.accuracy)

    @property
    def outcome(self) -> Outcome:
        """The status, where a run that failed by a loss that is no finite number has diverged."""
        diverged = self.status == "failed" and (self.error or "").startswith(FloatingPointError.__name__)
        return "diverged" if diverged else cast(Outcome, self.status)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes of the configuration."""
        return tuple(Note(each["kind"], each.get("text") or "") for each in self.config.get("notes") or ())

    def set_untrained(self, counts: np.ndarray) -> None:
        """Records the confusion counts before any training.

        Args:
            counts: Test texts by experience, true and predicted column, (T, C, C).
        """
        self.untrained_accuracy = [metrics.accuracy_from_counts(each) for each in counts]
        self.untrained_confusion = _sparse(counts)

    def add_stage(self, counts: np.ndarray) -> None:
        """Records the confusion counts after a stage, and computes all that follows from them.

        Args:
            counts: Test texts by experience, true and predicted column, (T, C, C).
        """
        self.accuracy.append([metrics.accuracy_from_counts(each) for each in counts])
        self.macro_f1.append([metrics.macro_f1_from_counts(each) for each in counts])
        self.stream_accuracy.append(metrics.stream_accuracy(list(counts)))
        self.confusion.append(_sparse(counts))
        if self.untrained_accuracy:
            joint, task_aware = self.config["stream"] == "joint", self.config["task_aware"]
            macro_f1 = metrics.stream_macro_f1(list(counts), task_aware=task_aware)
            self.metrics = metrics.summary(self.accuracy, macro_f1, self.untrained_accuracy, joint=joint)

    def counts(self, stage: int | None) -> np.ndarray:
        """The confusion counts (T, C, C) after a stage, from 0; None is the untrained learner.

        Raises:
            UserError: The result file has no valid counts of this stage.
        """
        name = "untrained_confusion" if stage is None else "confusion"
        size = len(self.config["columns"])
        try:
            cells = self.untrained_confusion if stage is None else self.confusion[stage]
            if cells is None:
                raise ValueError("missing")
            counts = np.zeros((len(cells), size, size), dtype=np.int64)
            for experience, each in enumerate(cells):
                for true, predicted, count in each:
                    counts[experience, true, predicted] = count
        except (ValueError, TypeError, IndexError) as error:
            raise UserError(f"{self.path}: {name} has no valid counts ({error})") from error
        return counts

    def to_json(self) -> dict[str, Any]:
        """The content of the result file."""
        content = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        del content["path"]
        if self.error is None:
            del content["error"]
        else:
            content["error"] = without_secrets(self.error)
        if not self.language:
            del content["language"]
        return {"schema": SCHEMA, **content}

    def write(self, path: Path, *, within: Path | None = None) -> None:
        """Writes the result file atomically, by a temporary file in the folder ``within``."""
        write_json(path, self.to_json(), within=within)
        self.path = path

    @classmethod
    def read(cls, path: Path) -> RunResult:
        """Reads a result file of this schema, or of an earlier one.

        Raises:
            UserError: It is not a result file, or a value in it is missing or invalid.
        """
        content = checked(path)
        names = {each.name for each in dataclasses.fields(cls)}
        # Null is the same as absent: the default.
        given = {name: value for name, value in content.items() if name in names and value is not None}
        return cls(**{"provenance": {}, **given, "path": path})


def _sparse(counts: np.ndarray) -> Confusion:
    return [[[int(i), int(j), int(each[i, j])] for i, j in np.argwhere(each)] for each in counts]
