"""What a worker process of a sweep does. Imports of the engine come late: see ``begin``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from clbench.core.config import RunConfig
from clbench.core.types import OnProgress

if TYPE_CHECKING:
    from clbench.core.result import RunResult
    from clbench.engine.shared import Shared

SECONDS = 0.5
"""The least time between two messages of a worker about the same work."""


@dataclass(frozen=True)
class Job:
    """Work of a sweep: a run, or the search that runs take their hyperparameters from.

    Attributes:
        config: The run, or the one that the search is for.
        search: Whether it is a search.
        after: The place of the search that the run waits for.
    """

    config: RunConfig
    search: bool = False
    after: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job of a sweep ended.

    Attributes:
        config: Of the job.
        path: Its result file, or the record of the search; None if it was not found out.
        error: What failed, in one line.
        skipped: Whether it was finished before.
        seconds: What it took, if it was done now.
    """

    config: RunConfig
    path: Path | None
    error: str | None = None
    skipped: bool = False
    seconds: float | None = None


@dataclass(frozen=True)
class Message:
    """What a worker is doing.

    Attributes:
        job: The place of its job in the sweep.
        what: The work, in a few words.
        done: How much of it is done.
        total: How much there is.
    """

    job: int
    what: str
    done: int
    total: int


Send = Callable[[Message], None]


def serve(connection: Connection, parent: int, environment: Mapping[str, str]) -> None:
    """Does the jobs that arrive, until there are no more: the whole life of a worker process.

    Args:
        connection: Where jobs come from with their places, and where messages and outcomes go.
        parent: The process that this one ends with.
        environment: Variables that are otherwise in this process.
    """
    os.environ |= environment
    quiet()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the main process ends this one
    try:
        while True:
            at, job = connection.recv()
            connection.send(work(at, job, connection.send))
    except (EOFError, BrokenPipeError):  # the main process has ended
        pass
    except SystemExit:
        _leave()


def work(at: int, job: Job, send: Send) -> Outcome:
    """Does one job if it is not finished; whatever fails is in the outcome, and ends no other job.

    Args:
        at: Its place in the sweep.
        job: What is to be done.
        send: Takes messages; what fails there is ignored.
    """
    do = _search if job.search else _run
    return do(job.config, _teller(at, send))


def quiet() -> None:
    """Prepares a process that does jobs of a sweep, before it imports the engine."""
    tqdm.set_lock(threading.RLock())  # one of processes would outlive a worker that is killed
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")  # they would break the progress bar of the main process


def _end(*_: object) -> None:
    """Ends this process by an exception: temporary files are removed."""
    sys.unraisablehook = _leave  # within a finalizer, Python ignores the exception
    raise SystemExit


def _leave(*_: object) -> None:
    """Ends this process at once: nothing is left to be done, and libraries take a second for it."""
    os._exit(128 + signal.SIGTERM)


def _search(config: RunConfig, tell: OnProgress) -> Outcome:
    from clbench.studies.tuning import search

    assert config.tune is not None
    started, trials = time.perf_counter(), config.tune.trials
    try:
        tell("trial", 0, trials)
        path = search(
            config,
            shared=_shared(),
            on_trial=lambda number, _: tell("trial", number + 1, trials),
            on_progress=tell,
        )
    except Exception as error:
        return Outcome(config, None, one_line(error))
    return Outcome(config, path, seconds=time.perf_counter() - started)


def _run(config: RunConfig, tell: OnProgress) -> Outcome:
    from clbench.engine.build import prepare
    from clbench.engine.earlier import finished
    from clbench.engine.loop import execute

    path, started = None, time.perf_counter()
    try:
        run = prepare(config, shared=_shared(), on_progress=tell)
        path, stages = run.path, len(run.stream.stages)
        if (earlier := finished(run)) is not None:
            return Outcome(config, earlier.path, skipped=True)
        tell("experience", 0, stages)

        def on_stage(stage: int, result: RunResult) -> None:
            tell("experience", stage + 1, stages)

        execute(run, replace=True, on_stage=on_stage, on_progress=tell)
    except Exception as error:
        return Outcome(config, path, one_line(error))
    return Outcome(config, path, seconds=time.perf_counter() - started)


def one_line(error: Exception) -> str:
    r"""The class and the first line of the message of an exception; it says so when memory is used up.

    Example:
        >>> one_line(ValueError("no\n  such")), one_line(MemoryError())
        ('ValueError: no', 'out of memory (MemoryError)')
    """
    name, said = type(error).__name__, str(error).partition("\n")[0]
    # That of torch has no common class with the built-in one.
    kind = f"out of memory ({name})" if isinstance(error, MemoryError) or name == "OutOfMemoryError" else name
    return f"{kind}: {said}" if said else kind


@cache
def _shared() -> Shared:
    """The encoders and streams of all runs of this process."""
    from clbench.engine.shared import Shared

    return Shared()


def _teller(job: int, send: Send) -> OnProgress:
    """Sends what a job is doing, at most so often; nothing that fails there can fail the job."""
    last: dict[str, Any] = {"kind": None, "when": 0.0}

    def tell(what: str, done: int, total: int) -> None:
        now, kind = time.monotonic(), what.split()[0]
        if kind == last["kind"] and done < total and now - last["when"] < SECONDS:
            return
        last.update(kind=kind, when=now)
        with suppress(Exception):  # a closed pipe
            send(Message(job, what, done, total))

    return tell


def _end_with(parent: int) -> None:
    """Ends this process when its parent process has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
