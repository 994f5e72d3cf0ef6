"""What a run tells its user while it goes on; none of it can fail the run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import lightning
from tqdm import tqdm

from clbench.core.result import RunResult


class SafeStream:
    """Standard error that swallows what a closed pipe, a full disk or an ASCII terminal raises."""

    def write(self, text: str) -> int:
        """Writes ``text`` as far as the terminal takes it."""
        with suppress(OSError, ValueError):
            encoding = sys.stderr.encoding or "utf-8"
            sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Flushes standard error."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()


class StepBar(lightning.Callback):
    """A progress bar over the training steps of one stage, with the epoch that it is in."""

    _bar: tqdm[Any]

    def __init__(self, *, show: bool) -> None:
        self._show = show

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Opens the bar."""
        total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        self._bar = tqdm(total=total, unit="step", leave=False, disable=not self._show, file=SafeStream())

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Names the epoch, counted from one."""
        self._bar.set_description(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Counts a step."""
        self._bar.update()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Closes the bar."""
        self._bar.close()


def report_stage(on_stage: Callable[[int, RunResult], None], index: int, result: RunResult) -> None:
    """Tells the caller of a finished stage; what fails to print there is a warning."""
    try:
        on_stage(index, result)
    except (OSError, ValueError) as error:  # a closed pipe or file, a terminal without such a character
        SafeStream().write(f"clbench: warning: reporting stage {index + 1} failed: {error}\n")
