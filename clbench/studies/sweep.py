"""Many runs in parallel worker processes."""

from __future__ import annotations

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
from clbench.studies.worker import Message, Outcome, begin, one_line, work

MESSAGES = 1000
"""How many messages may wait; a worker that finds no room drops its message."""


def run_all(configs: Sequence[RunConfig], *, workers: int, progress: bool) -> list[Outcome]:
    """Executes the runs that are not finished; returns how each run ended, in the given order.

    The result of a run does not depend on the number of workers: each run has its own seed and threads.

    Args:
        configs: The runs.
        workers: How many run at a time.
        progress: Whether to show what is done, what the workers do, and how long it will take.
    """
    display = Display(configs, workers, show=progress)
    outcomes: dict[int, Outcome] = {}
    recorded = Recorded(Shared())
    for at, config in enumerate(configs):
        outcome = _finished(recorded, config)
        display.checked(at, outcome)
        if outcome is not None:
            outcomes[at] = outcome
    left = [at for at in range(len(configs)) if at not in outcomes]
    if left:
        outcomes.update(_run(configs, left, min(workers, len(left)), display))
    display.close()
    return [outcomes[at] for at in range(len(configs))]


def _finished(recorded: Recorded, config: RunConfig) -> Outcome | None:
    """The outcome of a run that is finished, or whose configuration is wrong."""
    try:
        record = recorded.find(config)
    except Exception as error:  # one failed run must not end the others
        return Outcome(config, None, one_line(error))
    return Outcome(config, record.path, skipped=True) if record is not None and record.done else None


def _run(
    configs: Sequence[RunConfig], left: Sequence[int], workers: int, display: Display
) -> dict[int, Outcome]:
    # New processes, not forks: threads of torch and tokenizers do not survive a fork.
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message] = context.Queue(MESSAGES)
    outcomes: dict[int, Outcome] = {}
    try:
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=begin, initargs=(os.getpid(), _Sender(messages))
        ) as pool:
            pending: dict[Future[Outcome], int] = {pool.submit(work, at, configs[at]): at for at in left}
            while pending:
                ended, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                with suppress(queue.Empty, OSError, EOFError):
                    while True:
                        display.message(messages.get_nowait())
                for future in ended:
                    at = pending.pop(future)
                    try:
                        outcomes[at] = future.result()
                    except Exception as error:  # a worker that died takes its run with it
                        outcomes[at] = Outcome(configs[at], None, one_line(error))
                    display.finished(at, outcomes[at])
                display.refresh()
    finally:
        messages.close()
    return outcomes


class _Sender:
    """Puts messages into a queue without waiting, neither now nor when the process ends."""

    def __init__(self, messages: multiprocessing.Queue[Message]) -> None:
        self._messages = messages

    def __call__(self, message: Message) -> None:
        self._messages.cancel_join_thread()
        self._messages.put_nowait(message)
