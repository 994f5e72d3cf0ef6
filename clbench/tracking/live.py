"""Live logging of a run to Weights & Biases. A logging error never fails the run."""

from __future__ import annotations

from collections.abc import Callable
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
        lightning: The logger for Lightning's trainers, or None.
    """

    def __init__(self, config: RunConfig, result: RunResult, path: Path, meter: Meter) -> None:
        self._meter = meter
        self.lightning: LossLogger | None = None
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

        def log(run: wandb.Run) -> None:
            from clbench.tracking import upload  # and with it all of matplotlib

            upload.log_stage(run, self._result, len(self._result.accuracy) - 1)

        self._with_run(log)

    def end(self) -> None:
        """Logs metrics, costs, matrix, file and plots, and closes the run."""
        result, run = self._result, self._run

        def log(run: wandb.Run) -> None:
            from clbench.tracking import upload

            upload.log_end(run, result, self._path)

        if result.status != "running":  # one that was stopped goes on later
            self._with_run(log)
        if run is not None:
            self._run = None
            self._attempt(lambda: run.finish(exit_code=0 if result.status == "done" else 1), always=True)

    def _open(self, go_on: bool) -> None:
        config, mode = self._config, self._config.wandb
        assert mode != "disabled"
        group = names.group_of(self._result.config, config.wandb_group)

        def run_in(mode: names.Mode) -> wandb.Run:
            return open_run(
                self._result.config,
                group,
                mode,
                project=config.wandb_project,
                entity=config.wandb_entity,
                folder=config.results,
                go_on=go_on,
            )

        if mode == "online":
            problem = login_problem()
            if problem is None:
                try:
                    self._run = run_in("online")
                except Exception as error:  # the network may have gone since
                    problem = one_line(error)
            if problem is not None:
                _warn_offline(problem, config.results)
        if self._run is None:
            self._run = run_in("offline")
        self.lightning = LossLogger(self._run, self._steps_before, self._attempt)

    def _steps_before(self) -> int:
        return sum(int(each["steps"]) for each in self._result.experiences)

    def _with_run(self, action: Callable[[wandb.Run], None]) -> None:
        run = self._run
        if run is not None:
            self._attempt(lambda: action(run))

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
