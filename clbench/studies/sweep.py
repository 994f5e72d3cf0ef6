"""Many runs in parallel worker processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from clbench.core.config import RunConfig
from clbench.engine.build import prepare
from clbench.engine.checkpoint import is_done
from clbench.engine.loop import execute


@dataclass(frozen=True)
class Outcome:
    """How a run of a sweep ended: ``error`` is one line or None; ``skipped``: it was finished before."""

    config: RunConfig
    path: Path | None
    error: str | None = None
    skipped: bool = False


def run_all(configs: Sequence[RunConfig], *, workers: int, progress: bool) -> list[Outcome]:
    """Executes the runs that are not finished; returns how each run ended, in the given order.

    The result of a run does not depend on the number of workers: each run has its own seed and threads.
    """
    outcomes: dict[int, Outcome] = {}
    # New processes, not forks: threads of torch and tokenizers do not survive a fork.
    context = multiprocessing.get_context("spawn")
    bar = tqdm(total=len(configs), unit="run", disable=not progress)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin_worker, initargs=(os.getpid(),)
    ) as pool:
        pending = {pool.submit(_work, config): at for at, config in enumerate(configs)}
        for future in as_completed(pending):
            at = pending[future]
            try:
                outcomes[at] = future.result()
            except Exception as error:  # a worker that died (out of memory) takes its run with it
                outcomes[at] = Outcome(configs[at], None, f"{type(error).__name__}: {error}")
            bar.set_postfix_str(f"{configs[at].scenario} {configs[at].baseline.rpartition('.')[2]}")
            bar.update()
    bar.close()
    return [outcomes[at] for at in range(len(configs))]


def _begin_worker(parent: int) -> None:
    """Prepares a worker process: warnings would break the progress bar of the main process."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")


def _end_with(parent: int) -> None:
    """Ends this process when its parent process has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _work(config: RunConfig) -> Outcome:
    path = None
    try:
        run = prepare(config)
        path = run.path
        if is_done(run):
            return Outcome(config, path, skipped=True)
        execute(run, replace=True)
    except Exception as error:  # one failed run must not end the others: it is reported with its line
        return Outcome(config, path, f"{type(error).__name__}: {error}".splitlines()[0])
    return Outcome(config, path)
