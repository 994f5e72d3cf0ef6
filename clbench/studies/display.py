"""What a sweep shows while it goes on: jobs done, the work of each worker, and the time that is left."""

from __future__ import annotations

import sys
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tqdm import tqdm

from clbench.core.console import EVERY, SafeStream, time_left
from clbench.studies.worker import Job, Message, Outcome

FRAME = 0.5
"""The least seconds between two states on a terminal."""
LINES = 8
"""The most workers whose work is shown."""


class Display:
    """A bar over all jobs and a line per worker on a terminal; elsewhere a line every ``EVERY`` seconds.

    Args:
        jobs: Those of the sweep.
        workers: How many are done at a time.
        show: Whether to show anything.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        workers: int,
        *,
        show: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs, self._workers, self._clock = jobs, workers, clock
        self._left = dict(enumerate(jobs))
        self._started: dict[int, float] = {}
        self._seconds: defaultdict[Hashable, list[float]] = defaultdict(list)  # sorted, by ``_groups``
        self._doing: dict[int, Message] = {}
        self._show, self._terminal = show, show and sys.stderr.isatty()
        self._last = clock()
        self._stream = SafeStream()
        options: dict[str, Any] = {"file": self._stream, "leave": False, "disable": not self._terminal}
        unit = "job" if any(job.search for job in jobs) else "run"
        self._unit = f"{unit}s"
        self._bar = tqdm(total=len(jobs), unit=unit, **{**options, "leave": True})
        lines = min(workers, LINES)
        self._lines = [tqdm(bar_format="{desc}", position=at + 1, **options) for at in range(lines)]

    def checked(self, at: int, outcome: Outcome | None) -> None:
        """Takes note that the file of a job was looked at, and of its outcome if it has one."""
        if outcome is not None:
            self._left.pop(at, None)
            self._bar.update()

    def message(self, message: Message) -> None:
        """Takes note of what a worker does."""
        self._doing[message.job] = message
        self._started.setdefault(message.job, self._clock())

    def died(self, at: int, reason: str) -> None:
        """Says that what did a job has died, and that the job is tried once more."""
        self._idle(at)
        self._started.pop(at, None)
        if self._show:
            name = self._name(at)
            tqdm.write(f"{name}: {reason}; it is tried once more", file=self._stream)

    def finished(self, at: int, outcome: Outcome) -> None:
        """Takes note of the end of a job."""
        self._left.pop(at, None)
        self._idle(at)
        if outcome.seconds is not None:
            for group in _groups(self._jobs[at]):
                insort(self._seconds[group], outcome.seconds)
        self._bar.update()

    def refresh(self) -> None:
        """Shows the state of the sweep, if it is time."""
        now = self._clock()
        if not self._show or now - self._last < (FRAME if self._terminal else EVERY):
            return
        self._last = now
        doing = [self._described(each) for each in self._doing.values()]
        if self._terminal:
            self._bar.set_postfix_str(self._time_left())
            for at, line in enumerate(self._lines):
                line.set_description_str(f"  {doing[at]}" if at < len(doing) else "")
        else:
            done, left = len(self._jobs) - len(self._left), self._time_left()
            state = f"{done} of {len(self._jobs)} {self._unit} done" + (f", {left}" if left else "")
            more = [f"{len(doing) - LINES} more"] if len(doing) > LINES else []
            self._stream.write("; ".join([state, *doing[:LINES], *more]) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Removes the lines of the workers."""
        for line in self._lines:
            line.close()
        self._bar.close()

    def seconds_left(self) -> float | None:
        """The time that the jobs left will take; None as long as it is unknown for one of them.

        Each is expected to take the median of those of its method, tuning, head and scenario that have ended,
        or else of its method, tuning and head, or else of its tuning and head. Others say nothing about it: a
        run that trains the encoder, or a CNN, takes a hundred times as long as one of a linear layer.
        Searches are compared with searches.
        """
        now = self._clock()
        total = 0.0
        for at, job in self._left.items():
            expected = self._expected(job)
            if expected is None:
                return None
            spent = now - self._started[at] if at in self._started else 0.0
            total += max(0.0, expected - spent)
        return total / self._workers

    def _expected(self, job: Job) -> float | None:
        ended = next((self._seconds[group] for group in _groups(job) if group in self._seconds), None)
        return None if ended is None else (ended[(len(ended) - 1) // 2] + ended[len(ended) // 2]) / 2

    def _time_left(self) -> str:
        seconds = self.seconds_left()
        return "" if seconds is None or not self._left else time_left(seconds)

    def _idle(self, at: int) -> None:
        """No worker does the job at this place any more."""
        self._doing.pop(at, None)

    def _name(self, at: int) -> str:
        config = self._jobs[at].config
        return f"{config.scenario} {config.baseline.rpartition('.')[2]} {config.tuning or ''}".rstrip()

    def _described(self, message: Message) -> str:
        amount = f" {message.done}/{message.total}" if message.total > 1 else ""
        return f"{self._name(message.job)}: {message.what}{amount}"


def _groups(job: Job) -> tuple[Hashable, ...]:
    """What jobs that take about the same time have in common, the closest first."""
    config = job.config
    trained = (job.search, config.tuning, config.head)
    kind = (*trained, config.baseline)
    return (*kind, config.scenario), kind, trained
