"""Result files that are there already, and the runs that they hold, without preparing any run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.core.result_paths import result_paths
from clbench.engine.earlier import compared
from clbench.engine.registry import baseline_class
from clbench.engine.resolved import given_config, tuning_of
from clbench.engine.shared import Shared, fingerprints

_Key = tuple[Any, ...]


@dataclass(frozen=True)
class Record:
    """The result file of a run.

    Attributes:
        path: The file.
        result: Its content.
        done: Whether the run is finished, with the texts and weights that are there now.
    """

    path: Path
    result: RunResult
    done: bool


class Recorded:
    """Finds the result files of runs.

    A run is known by its configuration as far as it does not come from the learner, and by the fingerprints
    of its texts and weights. A file that is not found here may still be that of the run, if a method
    changes its learning rate when it is made: ``finished`` then says so when the run is prepared.

    Args:
        shared: Encoders and streams; each is loaded once, however many runs there are.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._files: dict[Path, dict[_Key, list[tuple[Path, RunResult]]]] = {}

    def find(self, config: RunConfig) -> Record | None:
        """The result file of a run; None if there is none.

        Raises:
            UserError: There may be one, but the configuration or the data is wrong.
        """
        scenario = self._shared.scenario(config.scenario)
        beside = self._in(config.results)
        candidates = beside.get((scenario.name, config.baseline, config.order, config.seed), [])
        if not candidates:
            return None
        encoder = self._shared.encoder(config, scenario.task)
        protocol = config.protocol(scenario.protocol)
        stream = self._shared.stream(config, scenario, protocol)
        info, tuning = baseline_class(config.baseline).info, tuning_of(config)
        default = info.lr(tuning, config.head) if tuning in info.tunings else None
        lr = default if config.lr is None else config.lr
        wanted = compared({**given_config(config, encoder, stream, protocol), "lr": lr})
        for path, result in candidates:
            recorded = compared(result.config)
            if all(name in recorded and recorded[name] == value for name, value in wanted.items()):
                same = result.provenance.get("fingerprints") == fingerprints(encoder, stream)
                return Record(path, result, result.status == "done" and same)
        return None

    def _in(self, folder: Path) -> dict[_Key, list[tuple[Path, RunResult]]]:
        if folder not in self._files:
            self._files[folder] = defaultdict(list)
            for path, result in _read(folder):
                names = ("scenario", "baseline", "order", "seed")
                self._files[folder][tuple(result.config.get(name) for name in names)].append((path, result))
        return self._files[folder]


def _read(folder: Path) -> Iterator[tuple[Path, RunResult]]:
    """The readable result files of a folder; the run of another one says what is wrong with it."""
    for path in result_paths(folder, "*/*/*/"):
        try:
            yield path, RunResult.read(path)
        except UserError:
            continue
