"""What a run tells its user and Weights & Biases while it goes on; none of it can fail the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import lightning
from tqdm import tqdm

from clbench.core.result import RunResult
from clbench.engine.build import Run
from clbench.tracking.live import Tracker


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

    def __init__(self, *, show: bool) -> None:
        self._show = show
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Opens the bar."""
        total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        self._bar = tqdm(total=total, unit="step", leave=False, disable=not self._show, file=SafeStream())

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Names the epoch, counted from one."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Counts a step."""
        if self._bar is not None:
            self._bar.update()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()


class Reporter:
    """Reports each finished stage: to the progress bar, to Weights & Biases, and to the caller.

    Args:
        run: The run.
        tracker: Logs it to Weights & Biases, where that is wanted.
        progress: Whether to show progress bars.
        on_stage: Called with the index of each finished stage and the result so far.
    """

    def __init__(
        self,
        run: Run,
        tracker: Tracker,
        progress: bool,
        on_stage: Callable[[int, RunResult], None] | None,
    ) -> None:
        self.steps = StepBar(show=progress)
        self._run, self._tracker, self._progress, self._on_stage = run, tracker, progress, on_stage

    @contextmanager
    def reporting(self, *, resumed: bool) -> Iterator[None]:
        """Opens the run in Weights & Biases for the block; ``resumed``: it was opened before."""
        self._tracker.start(go_on=resumed)
        try:
            yield
        finally:
            self._tracker.end()

    def bar(self, stages: Iterable[int]) -> Iterable[int]:
        """A progress bar over stages."""
        method = self._run.result.config["method"]
        bar: Iterable[int] = tqdm(
            stages, desc=method, unit="experience", disable=not self._progress, file=SafeStream()
        )
        return bar

    def stage(self, index: int) -> None:
        """Reports a finished stage."""
        self._tracker.stage()
        if self._on_stage is None:
            return
        try:
            self._on_stage(index, self._run.result)
        except (OSError, ValueError) as error:  # a closed pipe or file, a terminal without such a character
            SafeStream().write(f"clbench: warning: reporting stage {index + 1} failed: {error}\n")
