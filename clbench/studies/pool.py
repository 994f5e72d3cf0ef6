"""Worker processes of a sweep. One that dies takes nothing with it but the job that it was doing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from clbench.studies.executor import Died, Done, Event
from clbench.studies.worker import Job, Message, serve

GRACE = 0.4
"""Seconds that workers have to end when they are told to; then they are killed. A stopped command
has one in all."""
DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    job: int | None = None


class Pool:
    """Processes of this machine that do one job at a time: see ``Executor``.

    Args:
        workers: How many.
        devices: What ``CUDA_VISIBLE_DEVICES`` is in one worker after the other, in turn; with fewer than two
            it is left as it is.
    """

    def __init__(self, workers: int, devices: Sequence[str] = ()) -> None:
        self._devices = devices if len(devices) > 1 else ()
        self._workers: list[_Worker | None] = [None] * workers

    def close(self) -> None:
        """Ends the processes, whatever they do."""
        workers = [worker for worker in self._workers if worker is not None]
        try:
            for worker in workers:
                worker.process.terminate()
            until = time.monotonic() + GRACE
            for worker in workers:
                worker.process.join(max(0.0, until - time.monotonic()))
        finally:  # also when it is stopped once more while it waits
            for worker in workers:
                worker.process.kill()
                worker.process.join()
                worker.connection.close()

    @property
    def busy(self) -> bool:
        """Whether a job goes on."""
        return any(worker is not None and worker.job is not None for worker in self._workers)

    @property
    def idle(self) -> bool:
        """Whether another job can begin."""
        return any(worker is None or worker.job is None for worker in self._workers)

    def start(self, at: int, job: Job) -> None:
        """Begins a job. A worker that is not there yet, or not any more, is started.

        Args:
            at: The place of the job in the sweep.
            job: What is to be done.
        """
        place = next(at for at, each in enumerate(self._workers) if each is None or each.job is None)
        worker = self._workers[place]
        if worker is None:
            worker = self._workers[place] = self._new(place)
        worker.job = at
        with suppress(OSError):  # it has died: ``events`` says so
            worker.connection.send((at, job))

    def events(self, timeout: float) -> Iterator[Event]:
        """What happened, waiting for it at most ``timeout`` seconds."""
        workers = [worker for worker in self._workers if worker is not None]
        ready = set(wait([each.connection for each in workers], timeout))
        for worker in workers:
            if worker.connection in ready:
                yield from self._said(worker)

    def _new(self, place: int) -> _Worker:
        # New processes, not forks: threads of torch and tokenizers do not survive a fork.
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        device = self._devices[place % len(self._devices)] if self._devices else None
        environment = {} if device is None else {DEVICES: device}
        process = context.Process(target=serve, args=(there, os.getpid(), environment), daemon=True)
        resource_tracker.ensure_running()  # by the first start, which unblocks the signal
        with _without_interrupts():
            process.start()
        there.close()  # of its copies only the worker's is left, and ends with it
        return _Worker(process, here)

    def _said(self, worker: _Worker) -> Iterator[Event]:
        try:
            while worker.connection.poll():
                said = worker.connection.recv()
                if isinstance(said, Message):
                    yield said
                elif worker.job is not None:
                    job, worker.job = worker.job, None
                    yield Done(job, said)
        except (EOFError, OSError):
            worker.process.join()
            worker.connection.close()
            self._workers[self._workers.index(worker)] = None
            if worker.job is not None:
                yield Died(worker.job, f"its process was {ended_by(worker.process.exitcode)}")


def local_pool(workers: int) -> Pool:
    """Processes of this machine, which divide its GPUs among them."""
    import torch  # takes seconds

    return Pool(workers, visible_devices(os.environ, torch.cuda.device_count()))


def ended_by(code: int | None) -> str:
    """What ended a process, by its exit code.

    Example:
        >>> ended_by(-9), ended_by(1)
        ('killed by signal 9 (SIGKILL), as when memory is used up', 'ended with exit code 1')
    """
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    name = f"signal {-code}"
    with suppress(ValueError):
        name += f" ({signal.Signals(-code).name})"
    memory = ", as when memory is used up" if code == -signal.SIGKILL else ""
    return f"killed by {name}{memory}"


def visible_devices(environment: Mapping[str, str], count: int) -> list[str]:
    """The GPUs that this process sees, each as ``CUDA_VISIBLE_DEVICES`` names it.

    Args:
        environment: The variables of this process.
        count: How many GPUs it sees.

    Example:
        >>> visible_devices({}, 2), visible_devices({"CUDA_VISIBLE_DEVICES": "3,GPU-5ab,-1,0"}, 2)
        (['0', '1'], ['3', 'GPU-5ab'])
    """
    named = environment.get(DEVICES)
    names = [str(place) for place in range(count)] if named is None else named.split(",")
    return [name.strip() for name in names[:count]]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started here never receive Ctrl-C; this one does when the block has ended.

    A terminal sends it to all processes. The main one then ends its workers, in whatever state they are.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
