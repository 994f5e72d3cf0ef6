"""Sweeps in the process of the test: a new one takes seconds to import what a run needs."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest


class InProcess(Executor):
    """Runs each job at once; takes the place of ``ProcessPoolExecutor``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(job(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


def without_processes(patch: pytest.MonkeyPatch) -> None:
    """Lets ``clbench reproduce`` make its runs in this process, one after the other."""
    patch.setattr("clbench.studies.sweep.ProcessPoolExecutor", InProcess)
