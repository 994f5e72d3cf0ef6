"""Live logging of a run to Weights & Biases. A logging error never fails the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.core.config import RunConfig
from clbench.core.costs import Meter
from clbench.core.result import RunResult
from clbench.core.types import WandbMode
from clbench.tracking import names
from clbench.tracking.losses import LossLogger
from clbench.tracking.session import login_problem, one_line, open_run, warn

if TYPE_CHECKING:
    import wandb


class Tracker:
    """Logs one run to Weights & Biases, or does nothing if that is disabled.

    A logging error is one line on standard error. The run goes on, and its result file can be uploaded later.

    Args:
        config: The configuration of the run.
        result: The result of the run, which is read as it grows.
        path: The result file.
        meter: The costs of the run; logging is charged to no phase.

    Attributes:
        losses: The logger of training losses, or None.
    """

    def __init__(self, config: RunConfig, result: RunResult, path: Path, meter: Meter) -> None:
        self._meter = meter
        self.losses: LossLogger | None = None
        self._config, self._result, self._path = config, result, path
        self._run: wandb.Run | None = None
        self._works = config.wandb != "disabled"
        if self._works:
            import wandb  # noqa: F401  # a missing package stops the run before it begins

    def start(self, *, go_on: bool) -> None:
        """Opens the run, offline if there is no login or network.

        Args:
            go_on: Whether the run was started before and is continued.
        """
        self._attempt(lambda: self._open(go_on))

    def stage(self) -> None:
        """Logs the newest row of the result."""
        if self._run is not None:
            self._attempt(self._log_stage)

    def end(self) -> None:
        """Logs metrics, costs, matrix, file and plots, and closes the run."""
        run, status = self._run, self._result.status
        if run is None:
            return
        if status != "running":  # one that was stopped goes on later
            self._attempt(self._log_end)
        self._run = None
        self._attempt(lambda: run.finish(exit_code=0 if status == "done" else 1), always=True)

    def _log_stage(self) -> None:
        from clbench.tracking import upload  # and with it all of matplotlib

        assert self._run is not None
        upload.log_stage(self._run, self._result, self._result.stages - 1)

    def _log_end(self) -> None:
        from clbench.tracking import upload

        assert self._run is not None
        upload.log_end(self._run, self._result, self._path)

    def _open(self, go_on: bool) -> None:
        config, mode = self._config, self._config.wandb
        assert mode != "disabled"
        open_in = partial(
            open_run,
            self._result.config,
            names.group_of(self._result.config, config.wandb_group),
            project=config.wandb_project,
            entity=config.wandb_entity,
            folder=config.results,
            go_on=go_on,
        )
        if usable(mode, config.results) == "online":
            try:
                self._run = open_in("online")
            except Exception as error:  # the network may have gone since
                _warn_offline(one_line(error), config.results)
        self._run = self._run or open_in("offline")
        self.losses = LossLogger(self._run, self._steps_before, self._attempt)

    def _steps_before(self) -> int:
        return sum(int(each["steps"]) for each in self._result.experiences)

    def _attempt(self, action: Callable[[], None], *, always: bool = False) -> None:
        """Calls ``action``. After the first error, only calls with ``always`` are tried, silently."""
        if not (self._works or always):
            return
        try:
            with self._meter.apart():
                action()
        except Exception as error:  # logging is never worth a run
            if self._works:
                warn(
                    f"logging to Weights & Biases ended ({one_line(error)}); the run goes on, and "
                    f"'clbench wandb push {self._path}' sends it later"
                )
            self._works = False


def usable(mode: WandbMode, results: Path) -> WandbMode:
    """The mode for a sweep: ``offline``, with one warning for all runs, if there is no login or network."""
    problem = login_problem() if mode == "online" else None
    if problem is None:
        return mode
    _warn_offline(problem, results)
    return "offline"


def _warn_offline(problem: str, results: Path) -> None:
    warn(
        f"Weights & Biases online: {problem}; logging offline instead, "
        f"'clbench wandb push {results}' sends it later"
    )
