"""Many runs in parallel, and the searches that they take hyperparameters from, wherever they are done."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from clbench.core.config import RunConfig
from clbench.engine.recorded import Recorded
from clbench.engine.shared import Shared
from clbench.studies.display import Display
from clbench.studies.executor import Done, Executor, OpenExecutor
from clbench.studies.pool import local_pool
from clbench.studies.search_record import SearchRecord
from clbench.studies.searches import Searches, distinct_searches
from clbench.studies.tuning import search_of
from clbench.studies.worker import Job, Message, Outcome, one_line


def run_all(
    configs: Sequence[RunConfig], *, workers: int, progress: bool, executor: OpenExecutor = local_pool
) -> list[Outcome]:
    """Executes the runs that are not finished; returns how each run ended, in the given order.

    Runs that are tuned wait for their search, which is made once for all of their orders and seeds. Results
    do not depend on the number of workers: each run and each search has its own seed and threads.

    Args:
        configs: The runs.
        workers: How many run at a time.
        progress: Whether to show what is done, what the workers do, and how long it will take.
        executor: Where the jobs are done: processes of this machine, or a cluster.
    """
    jobs = _jobs(configs)
    display = Display(jobs, workers, show=progress)
    with closing(display):
        outcomes = _finished(jobs, display)
        left = len(jobs) - len(outcomes)
        if left:
            if any(job.search and at not in outcomes for at, job in enumerate(jobs)):
                import optuna  # noqa: F401 - where it is missing, that is said before anything runs
            with closing(executor(min(workers, left))) as opened:
                do(jobs, outcomes, opened, display)
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


def do(jobs: Sequence[Job], outcomes: dict[int, Outcome], executor: Executor, display: Display) -> None:
    """Does the jobs that have no outcome, each as soon as its search has one.

    A job that died with its process is tried again, when those that wait have begun: by then there may be
    memory.

    Args:
        jobs: Those of the sweep.
        outcomes: What has ended, by place; those of the other jobs are added.
        executor: Does them.
        display: Is told of what happens.
    """
    waiting = [at for at in _turns(jobs) if at not in outcomes]
    deaths: Counter[int] = Counter()

    def end(at: int, outcome: Outcome) -> None:
        outcomes[at] = dataclasses.replace(outcome, config=jobs[at].config)
        display.finished(at, outcomes[at])

    while waiting or executor.busy:
        for at in _startable(waiting, jobs, outcomes, executor):
            try:
                ready = _ready(jobs[at], outcomes)
            except Exception as error:  # one failed run must not end the others
                ready = Outcome(jobs[at].config, None, one_line(error))
            if isinstance(ready, Outcome):
                end(at, ready)
            else:
                executor.start(at, ready)
        for event in executor.events(0.5):
            if isinstance(event, Message):
                display.message(event)
            elif isinstance(event, Done):
                end(event.job, event.outcome)
            else:
                deaths[event.job] += 1
                if deaths[event.job] < event.attempts:
                    waiting.append(event.job)
                    display.died(event.job, event.reason)
                else:
                    count = "both of two" if event.attempts == 2 else f"all of {event.attempts}"
                    end(
                        event.job,
                        Outcome(jobs[event.job].config, None, f"{event.reason}, in {count} attempts"),
                    )
        display.refresh()


def _turns(jobs: Sequence[Job]) -> list[int]:
    """The places of the jobs in the order in which they begin: runs in turn, a search before its first one.

    A sweep that was stopped has searches whose runs are done, and not all searches without any run.
    """
    turns: dict[int, None] = {}  # as an ordered set
    for at, job in enumerate(jobs):
        if not job.search:
            turns |= dict.fromkeys(each for each in (job.after, at) if each is not None)
    return list(turns)


def _startable(
    waiting: list[int], jobs: Sequence[Job], outcomes: Mapping[int, Outcome], executor: Executor
) -> Iterator[int]:
    """Takes jobs whose search has ended from those that wait, in turn, as long as there is room for them."""
    at = 0
    while at < len(waiting) and executor.idle:
        if jobs[waiting[at]].after is None or jobs[waiting[at]].after in outcomes:
            yield waiting.pop(at)
        else:
            at += 1
