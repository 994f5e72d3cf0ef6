"""What a run tells its user while it goes on; none of it can fail the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from clbench.core.console import EVERY, SafeStream, time_left
from clbench.core.result import RunResult
from clbench.core.types import OnProgress


class StepBar:
    """A progress bar over the training steps of one stage, with the epoch that it is in.

    Args:
        show: Whether to show it.
        on_progress: Is told the same.
    """

    def __init__(self, *, show: bool, on_progress: OnProgress | None = None) -> None:
        self._show, self._on_progress = show, on_progress
        self._bar: tqdm[Any] | None = None

    def start(self, steps_per_epoch: int, epochs: int) -> None:
        """Opens the bar."""
        total = steps_per_epoch * epochs
        self._steps_per_epoch, self._epochs, self._done = steps_per_epoch, epochs, 0
        self._bar = tqdm(total=total, unit="step", leave=False, disable=not self._show, file=SafeStream())

    def skip(self, steps: int) -> None:
        """Counts steps that were done before the run was stopped."""
        assert self._bar is not None
        self._done += steps
        self._bar.update(steps)

    def update(self, steps: int) -> None:
        """Counts steps, and names the epoch, counted from one."""
        assert self._bar is not None
        epoch = f"epoch {self._done // self._steps_per_epoch + 1}/{self._epochs}"
        self._done += steps
        self._bar.set_description(epoch, refresh=False)
        self._bar.update(steps)
        if self._on_progress is not None:
            self._on_progress(f"{epoch}, step", self._done, self._steps_per_epoch * self._epochs)

    def close(self) -> None:
        """Closes the bar."""
        assert self._bar is not None
        self._bar.close()


class ProgressLines:
    """What a run does, on standard error: at most a line every ``EVERY`` seconds.

    Args:
        clock: Seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._stream = clock, SafeStream()
        self._due = clock() + EVERY
        self._began, self._first = clock(), (0, 0)  # of the work that goes on: how much was done, of what

    def __call__(self, what: str, done: int, total: int) -> None:
        """Is told what is being done, how much of it is done, and how much there is."""
        now = self._clock()
        if total != self._first[1] or done < self._first[0]:
            self._began, self._first = now, (done, total)
        if now < self._due:
            return
        self._due = now + EVERY
        amount = f" {done}/{total}" if total > 1 else ""
        rate = (done - self._first[0]) / (now - self._began) if now > self._began else 0.0
        left = f", {time_left((total - done) / rate)}" if rate else ""
        self._stream.write(f"{what}{amount}{left}\n")
        self._stream.flush()


def report_stage(on_stage: Callable[[int, RunResult], None], index: int, result: RunResult) -> None:
    """Tells the caller of a finished stage; what fails to print there is a warning."""
    try:
        on_stage(index, result)
    except (OSError, ValueError) as error:  # a closed pipe or file, a terminal without such a character
        SafeStream().write(f"clbench: warning: reporting stage {index + 1} failed: {error}\n")
