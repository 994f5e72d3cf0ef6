"""Fabric's logger for Weights & Biases, with one count of steps over all experiences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import Logger

from clbench.tracking import names

if TYPE_CHECKING:
    import wandb


class LossLogger(Logger):
    """Logs the training loss, and whatever else a learner logs in training.

    The training on each experience counts its steps from 1; here they go on from those before.

    Args:
        run: Open.
        steps_before: The steps of all experiences that are over.
        attempt: Calls what it is given, and deals with what that raises.
    """

    def __init__(
        self, run: wandb.Run, steps_before: Callable[[], int], attempt: Callable[[Callable[[], None]], None]
    ) -> None:
        self._run, self._steps_before, self._attempt = run, steps_before, attempt
        self._step = 0

    @property
    def name(self) -> str | None:
        """The project."""
        return self._run.project

    @property
    def version(self) -> str | None:
        """The run."""
        return self._run.id

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration is logged with the run itself."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs values after ``step`` steps of this experience; None is the step that was logged last."""
        self._step = self._step if step is None else self._steps_before() + step
        self._attempt(lambda: self._run.log({**metrics, names.STEP: self._step}))
