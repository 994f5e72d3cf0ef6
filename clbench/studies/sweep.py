"""Many runs in parallel worker processes, and the searches that they take hyperparameters from."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import queue
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress

from clbench.core.config import RunConfig
from clbench.engine.recorded import Recorded
from clbench.engine.shared import Shared
from clbench.studies.display import Display
from clbench.studies.search_record import SearchRecord
from clbench.studies.searches import Searches, distinct_searches
from clbench.studies.tuning import search_of
from clbench.studies.worker import Job, Message, Outcome, begin, one_line, work

MESSAGES = 1000
"""How many messages may wait; a worker that finds no room drops its message."""


def run_all(configs: Sequence[RunConfig], *, workers: int, progress: bool) -> list[Outcome]:
    """Executes the runs that are not finished; returns how each run ended, in the given order.

    Runs that are tuned wait for their search, which is made once for all of their orders and seeds. Results
    do not depend on the number of workers: each run and each search has its own seed and threads.

    Args:
        configs: The runs.
        workers: How many run at a time.
        progress: Whether to show what is done, what the workers do, and how long it will take.
    """
    jobs = _jobs(configs)
    display = Display(jobs, workers, show=progress)
    outcomes = _finished(jobs, display)
    left = len(jobs) - len(outcomes)
    if left:
        if any(job.search and at not in outcomes for at, job in enumerate(jobs)):
            import optuna  # noqa: F401 - where it is missing, that is said before anything runs
        _run(jobs, outcomes, min(workers, left), display)
    display.close()
    return [outcomes[at] for at in range(len(jobs) - len(configs), len(jobs))]


def _jobs(configs: Sequence[RunConfig]) -> list[Job]:
    """The searches, and behind them the runs."""
    searches = distinct_searches(configs)
    jobs = [Job(search, search=True) for search in searches]
    for config in configs:
        jobs.append(Job(config, after=None if config.tune is None else searches.index(search_of(config))))
    return jobs


def _finished(jobs: Sequence[Job], display: Display) -> dict[int, Outcome]:
    """The outcomes of jobs that are finished, or whose configuration is wrong."""
    shared = Shared()
    recorded, searches = Recorded(shared), Searches(shared)
    outcomes: dict[int, Outcome] = {}
    for at, job in enumerate(jobs):
        try:
            outcome = _looked_up(job, outcomes, recorded, searches)
        except Exception as error:  # one failed run must not end the others
            outcome = Outcome(job.config, None, one_line(error))
        display.checked(at, outcome)
        if outcome is not None:
            outcomes[at] = outcome
    return outcomes


def _looked_up(
    job: Job, outcomes: dict[int, Outcome], recorded: Recorded, searches: Searches
) -> Outcome | None:
    if job.search:
        found = searches.find(job.config)
        return Outcome(job.config, found[0], skipped=True) if found is not None and found[1].done else None
    if job.after is not None and job.after not in outcomes:
        return None
    ready = _ready(job, outcomes)
    if isinstance(ready, Outcome):
        return ready
    record = recorded.find(ready.config)
    return Outcome(job.config, record.path, skipped=True) if record is not None and record.done else None


def _ready(job: Job, outcomes: dict[int, Outcome]) -> Job | Outcome:
    """The job with its hyperparameters, once its search is done; its outcome if that failed."""
    if job.after is None:
        return job
    ended = outcomes[job.after]
    record = None if ended.path is None else SearchRecord.read(ended.path)
    if ended.error is not None or record is None:
        return Outcome(job.config, None, f"its search failed: {ended.error or ended.path}")
    return dataclasses.replace(job, config=record.chosen(job.config))


def _run(jobs: Sequence[Job], outcomes: dict[int, Outcome], workers: int, display: Display) -> None:
    """Does the jobs that have no outcome, each as soon as its search has one."""
    # New processes, not forks: threads of torch and tokenizers do not survive a fork.
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message] = context.Queue(MESSAGES)
    waiting = [at for at in range(len(jobs)) if at not in outcomes]
    try:
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=begin, initargs=(os.getpid(), _Sender(messages))
        ) as pool:
            pending: dict[Future[Outcome], int] = {}

            def end(at: int, outcome: Outcome) -> None:
                outcomes[at] = dataclasses.replace(outcome, config=jobs[at].config)
                display.finished(at, outcomes[at])

            while waiting or pending:
                begun = {None, *outcomes}
                for at in [each for each in waiting if jobs[each].after in begun]:
                    waiting.remove(at)
                    try:
                        ready = _ready(jobs[at], outcomes)
                        if isinstance(ready, Outcome):
                            end(at, ready)
                        else:
                            pending[pool.submit(work, at, ready)] = at
                    except Exception as error:  # a worker that died takes the pool with it
                        end(at, Outcome(jobs[at].config, None, one_line(error)))
                ended, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                with suppress(queue.Empty, OSError, EOFError):
                    while True:
                        display.message(messages.get_nowait())
                for future in ended:
                    at = pending.pop(future)
                    try:
                        end(at, future.result())
                    except Exception as error:  # a worker that died takes its run with it
                        end(at, Outcome(jobs[at].config, None, one_line(error)))
                display.refresh()
    finally:
        messages.close()


class _Sender:
    """Puts messages into a queue without waiting, neither now nor when the process ends."""

    def __init__(self, messages: multiprocessing.Queue[Message]) -> None:
        self._messages = messages

    def __call__(self, message: Message) -> None:
        self._messages.cancel_join_thread()
        self._messages.put_nowait(message)
