"""Measuring a piece of work in a process of its own: seconds and peak memory."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeVar

from clbench.core.costs import clock, peak_bytes, reset_peak

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """Seconds per unit of work, and the peak memory of the process that did it.

    Attributes:
        seconds: Per unit.
        peak_bytes: Resident set, or memory on the GPU where that is more.
    """

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Comparison:
    """One line of the benchmark: a piece of the engine against its naive form."""

    name: str
    what: str
    naive: Measured
    engine: Measured
    target: float

    @property
    def ratio(self) -> float:
        """How many times faster the engine is."""
        return self.naive.seconds / self.engine.seconds

    def to_json(self) -> dict[str, Any]:
        """The entry of the benchmark's file."""
        return {
            "name": self.name,
            "what": self.what,
            "naive_seconds": self.naive.seconds,
            "seconds": self.engine.seconds,
            "ratio": self.ratio,
            "target_ratio": self.target,
            "naive_peak_bytes": self.naive.peak_bytes,
            "peak_bytes": self.engine.peak_bytes,
        }


class Case(NamedTuple):
    """A comparison that can be measured; each form runs in a process of its own.

    Attributes:
        name: As on the command line.
        what: What is measured, and against what.
        target: The ratio that is wanted.
        naive: Measures the naive form.
        engine: Measures the engine.
    """

    name: str
    what: str
    target: float
    naive: Callable[[Any], Measured]
    engine: Callable[[Any], Measured]


def repeated(work: Callable[[], object], *, units: int, least_seconds: float = 3.0) -> Measured:
    """Does ``work``, ``units`` of it, once to warm up, then until ``least_seconds`` have passed.

    The seconds are the median over repetitions: other programs on the machine make some of them longer.
    """
    work()
    reset_peak()
    seconds: list[float] = []
    while sum(seconds) < least_seconds:
        started = clock()
        work()
        seconds.append(clock() - started)
    return Measured(statistics.median(seconds) / units, max(peak_bytes().values()))


def alone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls ``function`` in a new process, so that no measurement sees the memory of another."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()
