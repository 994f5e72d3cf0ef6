"""The result file: everything that tables and plots are made from, rewritten after each experience."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clbench.core import metrics
from clbench.core.errors import UserError
from clbench.core.io import write_json
from clbench.core.result_schema import SCHEMA, migrated

PACKAGES = ("clbench", "torch", "lightning", "transformers", "datasets", "numpy")


@dataclass
class RunResult:
    """One run, as far as it has come.

    Attributes:
        config: The fully resolved configuration.
        provenance: Commit, versions, machine, command, fingerprints.
        counts: After each stage, the confusion counts (T, C, C) on every experience's test texts.
        untrained: The same counts before any training; None until they are known.
        costs: See the cost contract.
        experiences: One entry per stage of training.
        diagnostics: What the method says about itself.
        status: ``running``, ``done`` or ``failed``.
        error: One line, where the status is ``failed``.
    """

    config: dict[str, Any]
    provenance: dict[str, Any]
    counts: list[np.ndarray] = field(default_factory=list)
    untrained: np.ndarray | None = None
    costs: dict[str, Any] = field(default_factory=dict)
    experiences: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    status: str = "running"
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of the file, metrics computed from the counts."""
        accuracy = [[metrics.accuracy_from_counts(each) for each in row] for row in self.counts]
        macro_f1 = [[metrics.macro_f1_from_counts(each) for each in row] for row in self.counts]
        before = self.untrained
        start = None if before is None else [metrics.accuracy_from_counts(each) for each in before]
        measured = (
            metrics.summary(accuracy, macro_f1, start, joint=bool(self.config["joint"]))
            if accuracy and start
            else {}
        )
        return {
            "schema": SCHEMA,
            "status": self.status,
            **({"error": self.error} if self.error else {}),
            "config": self.config,
            "provenance": self.provenance,
            "accuracy": accuracy,
            "macro_f1": macro_f1,
            "stream_accuracy": [metrics.stream_accuracy(list(row)) for row in self.counts],
            "untrained_accuracy": start,
            "metrics": measured,
            "confusion": [_sparse(row) for row in self.counts],
            "untrained_confusion": None if before is None else _sparse(before),
            "costs": self.costs,
            "experiences": self.experiences,
            "diagnostics": self.diagnostics,
        }

    def write(self, path: Path) -> None:
        """Writes the file atomically."""
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> RunResult:
        """Reads a file back, to go on with a run or to look at it.

        Raises:
            UserError: It is not a result file of this schema.
        """
        try:
            content = migrated(json.loads(path.read_text(encoding="utf-8")))
            if content["schema"] != SCHEMA:
                raise UserError(f"{path}: schema {content['schema']}, this version reads schema {SCHEMA}")
            size = len(content["config"]["columns"])
            untrained = content["untrained_confusion"]
            return cls(
                config=content["config"],
                provenance=content["provenance"],
                counts=[_dense(row, size) for row in content["confusion"]],
                untrained=None if untrained is None else _dense(untrained, size),
                costs=content["costs"],
                experiences=content["experiences"],
                diagnostics=content["diagnostics"],
                status=content["status"],
                error=content.get("error"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not a result file ({type(error).__name__}: {error})") from error


def _sparse(counts: np.ndarray) -> list[list[list[int]]]:
    """Per experience, the ``[true, predicted, count]`` of every non-zero cell."""
    return [[[int(i), int(j), int(each[i, j])] for i, j in np.argwhere(each)] for each in counts]


def _dense(cells: Sequence[Sequence[Sequence[int]]], size: int) -> np.ndarray:
    counts = np.zeros((len(cells), size, size), dtype=np.int64)
    for experience, each in enumerate(cells):
        for true, predicted, count in each:
            counts[experience, true, predicted] = count
    return counts


def provenance(fingerprints: Mapping[str, str], threads: int) -> dict[str, Any]:
    """Where a result comes from: commit, versions, machine, command, date, and the given fingerprints."""
    return {
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {
            "system": platform.system(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": threads,
        },
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "fingerprints": dict(fingerprints),
    }


def _commit() -> str | None:
    """The commit of the source tree that this code runs from, ``-dirty`` if it was changed; else None."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    """The processor's name; ``platform.processor`` is empty on most Linux systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
