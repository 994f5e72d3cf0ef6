"""Checkpoints: the state of a run after each experience and within long ones, until the run is done."""

from __future__ import annotations

import dataclasses
import json
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clbench.core.costs import Cost, Phase
from clbench.core.errors import StoppedError
from clbench.core.io import remove_leftovers
from clbench.core.result import RunResult
from clbench.core.shared_folder import SharedFolder, remove_unused
from clbench.engine.build import Run
from clbench.engine.code_version import code_version
from clbench.engine.earlier import differences
from clbench.engine.learner_state import load_state, refuse_infinite, state_of
from clbench.engine.run_costs import costs_of_run
from clbench.engine.state_file import SUFFIX, read_state, write_state
from clbench.models.cache_files import DamagedError

KEPT = 2
"""Checkpoints that are kept: if the newest one is damaged, a run goes on from the one before."""
_NAME = re.compile(r"(\d{5})-(\d{9})-[0-9a-f]+" + re.escape(SUFFIX))


@dataclass(frozen=True)
class Within:
    """A place within an experience.

    Attributes:
        before: What each phase had cost before the experience.
        training: From ``Training.state_dict``; once it is read, with the learner's.
    """

    before: Mapping[Phase, Cost]
    training: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """What a run was when it was saved.

    Attributes:
        result: So far.
        within: The place in the experience after those in ``result``; None at its beginning.
        state: Everything else.
    """

    result: RunResult
    within: Within | None
    state: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of a run, as files in the folder ``run.working``.

    Each is written under another name first, and its name holds its checksum; see ``write_state``.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folder = SharedFolder(run.working)  # another process may make the same run
        self._code = code_version(type(run.learner))  # now: files may change while it runs
        self._saved = time.monotonic()
        self._wanted = run.config.checkpoint
        self._within = self._wanted

    def due(self) -> bool:
        """Whether the last checkpoint is so long ago that one within an experience is wanted."""
        return self._within and time.monotonic() - self._saved >= 60 * self._run.config.checkpoint_minutes

    def save(self, within: Within | None = None) -> None:
        """Saves the run, after a stage or within one, and then the result so far.

        Raises:
            StoppedError: It cannot be written; the checkpoints before it are kept.
            FloatingPointError: A trainable parameter is not finite.
        """
        run = self._run
        run.result.costs = costs_of_run(run)
        try:
            with run.meter.apart():  # saving is charged to no phase
                self._folder.enter()
                if self._wanted:
                    self._write(within)
                run.result.write(run.unfinished, within=run.working)
        except OSError as error:
            raise _cannot_write(run.working, error) from error

    def finish(self) -> None:
        """Writes the result of the run that is done.

        Raises:
            StoppedError: It cannot be written; the checkpoints are kept.
        """
        try:
            self.write_result(self._run.path)
        except OSError as error:
            raise _cannot_write(self._run.path, error) from error

    def write_result(self, path: Path) -> None:
        """Writes the result so far to ``path``, by a temporary file beside the checkpoints.

        Raises:
            OSError: It cannot be written.
        """
        self._folder.enter()
        self._run.result.write(path, within=self._run.working)

    def _write(self, within: Within | None) -> None:
        run, learner = self._run, self._run.learner
        refuse_infinite(learner)
        steps = 0 if within is None else within.training["done"]["steps"]
        state = {
            "code": self._code,
            "result": json.dumps(run.result.to_json()),
            "costs": _plain(run.meter.so_far()),
            "wall": run.meter.wall,
            "asked_for": run.data.asked_for,
            "learner": state_of(learner),
            "within": within and {"before": _plain(within.before), "training": within.training},
        }
        for old in [*self._files()][KEPT - 1 :]:
            old.unlink(missing_ok=True)
        try:
            write_state(run.working, f"{run.result.stages:05}-{steps:09}", state)
        except TypeError as error:  # of an optimizer or schedule of one's own
            if within is None:
                raise
            self._within = False
            warnings.warn(f"no checkpoints within experiences: {error}", stacklevel=2)
        self._saved = time.monotonic()

    def find(self) -> Checkpoint | None:
        """The newest checkpoint of this run from which it can go on; those that are damaged are removed.

        So is what killed processes left beside them.
        """
        remove_leftovers(self._run.working)
        if not self._wanted:
            return None
        for path in self._files():
            try:
                state = read_state(path)
            except FileNotFoundError:
                continue  # of the same run in another process
            except DamagedError as error:
                left = len([*self._files()]) > 1
                where = "the checkpoint before it" if left else "the start"
                warnings.warn(f"{error}; the run goes on from {where}", stacklevel=2)
                path.unlink(missing_ok=True)
                continue
            if other := self._other(state):
                warnings.warn(
                    f"{path}: the run was stopped with another {other}; it starts anew", stacklevel=2
                )
                self.clear()
                return None
            within = state["within"]
            return Checkpoint(
                _result(state),
                within
                and Within(_costs(within["before"]), {**within["training"], "learner": state["learner"]}),
                state,
            )
        return None

    def _other(self, state: Mapping[str, Any]) -> str:
        """What of this run is not what it was when the checkpoint was made; empty if it is the same."""
        if state["code"] != self._code:
            return "version of the code"
        return str(differences(_result(state), self._run))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Makes the learner and the costs of this run those of a checkpoint."""
        run, state = self._run, checkpoint.state
        load_state(run.learner, state["learner"])
        run.data.was_asked_for(state["asked_for"])
        run.meter.earlier = state["wall"]
        run.meter.costs.update(_costs(state["costs"]))

    def leave(self) -> None:
        """Ends the work in the folder of the checkpoints, which are kept."""
        self._folder.leave()

    def clear(self) -> None:
        """Removes all checkpoints, and what killed processes left beside them.

        They stay as long as another process makes the same run, which removes them at its end.
        """
        self.leave()
        remove_unused(self._run.working)

    def _files(self) -> Iterator[Path]:
        """The newest one first; of the same place, the one that was written last."""
        found: list[Path] = []
        with suppress(FileNotFoundError):  # another process has ended the same run, and removed the folder
            found = [path for path in self._run.working.iterdir() if _NAME.fullmatch(path.name)]
        place = {path: (path.name.rpartition("-")[0], _written(path)) for path in found}
        yield from sorted(found, key=place.__getitem__, reverse=True)


def _cannot_write(path: Path, error: OSError) -> StoppedError:
    """The error for a result or a checkpoint that cannot be written."""
    return StoppedError(
        f"{path}: {error.strerror or error}; once it can be written, the same command goes on"
    )


def _result(state: Mapping[str, Any]) -> RunResult:
    fields = json.loads(state["result"])
    fields.pop("schema")
    return RunResult(**fields)


def _plain(costs: Mapping[Phase, Cost]) -> dict[str, tuple[float, int, int]]:
    return {phase: dataclasses.astuple(cost) for phase, cost in costs.items()}


def _costs(plain: Mapping[Phase, tuple[float, int, int]]) -> dict[Phase, Cost]:
    return {phase: Cost(*values) for phase, values in plain.items()}


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
