"""What a sweep needs of the place where its jobs are done: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from clbench.studies.worker import Job, Message, Outcome


@dataclass(frozen=True)
class Done:
    """A job has ended.

    Attributes:
        job: Its place in the sweep.
        outcome: How it ended.
    """

    job: int
    outcome: Outcome


@dataclass(frozen=True)
class Died:
    """What did a job has died.

    Attributes:
        job: The place of the job in the sweep.
        reason: What has died, and of what, in a few words.
        attempts: How often a job is tried that ends like this each time.
    """

    job: int
    reason: str
    attempts: int = 2


Event = Message | Done | Died


class Executor(Protocol):
    """Does jobs, several at a time. One that dies takes no other job with it."""

    @property
    def busy(self) -> bool:
        """Whether a job goes on."""

    @property
    def idle(self) -> bool:
        """Whether another job can begin."""

    def start(self, at: int, job: Job) -> None:
        """Begins a job; there is room for one.

        Args:
            at: The place of the job in the sweep.
            job: What is to be done.
        """

    def events(self, timeout: float) -> Iterator[Event]:
        """What happened, waiting for it at most ``timeout`` seconds."""

    def close(self) -> None:
        """Ends whatever goes on, within about a second."""


OpenExecutor = Callable[[int], Executor]
"""Makes an executor of at most so many jobs at a time."""
