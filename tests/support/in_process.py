"""Sweeps in the process of the test: a new one takes seconds to import what a run needs."""

from collections.abc import Iterator, Sequence

import pytest

from clbench.studies.executor import Done, Event
from clbench.studies.worker import Job, work


class InProcess:
    """Does each job at once; takes the place of ``Pool``."""

    def __init__(self, workers: int, devices: Sequence[str] = ()) -> None:
        self._events: list[Event] = []

    def close(self) -> None:
        pass

    @property
    def busy(self) -> bool:
        return bool(self._events)

    @property
    def idle(self) -> bool:
        return not self._events

    def start(self, at: int, job: Job) -> None:
        self._events.append(Done(at, work(at, job, lambda _: None)))

    def events(self, timeout: float) -> Iterator[Event]:
        events, self._events = self._events, []
        yield from events


def without_processes(patch: pytest.MonkeyPatch) -> None:
    """Lets ``clbench reproduce`` make its runs in this process, one after the other."""
    patch.setattr("clbench.studies.pool.Pool", InProcess)
