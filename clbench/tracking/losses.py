"""Lightning's logger for Weights & Biases, with one count of steps over all experiences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from clbench.tracking import names

if TYPE_CHECKING:
    import wandb

EVERY = 10
"""Steps between two logged losses."""


class LossLogger(WandbLogger):
    """Logs the training loss.

    The trainer of each experience counts its steps from 0; here they go on from those before.

    Args:
        run: Open.
        steps_before: The steps of all experiences that are over.
        attempt: Calls what it is given, and deals with what that raises.
    """

    def __init__(
        self, run: wandb.Run, steps_before: Callable[[], int], attempt: Callable[[Callable[[], None]], None]
    ) -> None:
        super().__init__(experiment=run)
        self._run, self._steps_before, self._attempt = run, steps_before, attempt

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs the losses among ``metrics`` after step ``step``, which counts from 0."""
        losses = {name: value for name, value in metrics.items() if name.startswith("train/")}
        if losses and step is not None:
            at = {names.STEP: self._steps_before() + step + 1}
            self._attempt(lambda: self._run.log({**losses, **at}))
