"""What a run costs: seconds by phase and peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import torch

Phase = Literal["encode", "keys", "train", "consolidate", "evaluate"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class Stopwatch:
    """Seconds of wall-clock time by phase.

    Args:
        outside: Seconds, so far, of work that is accounted for elsewhere and may happen inside any phase:
            frozen features are computed when they are first needed, and cost what they cost whoever
            needs them first.

    Attributes:
        seconds: Phase to seconds so far.
        earlier: Wall-clock seconds of the run before it was stopped.
    """

    def __init__(self, outside: Callable[[], float] = lambda: 0.0) -> None:
        self.seconds: dict[Phase, float] = dict.fromkeys(PHASES, 0.0)
        self.earlier = 0.0
        self._outside = outside
        self._started = time.perf_counter()

    @property
    def wall(self) -> float:
        """Seconds since the run began, its stops left out."""
        return self.earlier + time.perf_counter() - self._started

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Adds the time of the block to ``phase``, once the GPU has finished its work."""
        started = time.perf_counter() - self._outside()
        yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds[phase] += time.perf_counter() - self._outside() - started


def reset_peak() -> None:
    """Forgets the peaks reached so far, where the system allows it (Linux; CUDA)."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> dict[str, int]:
    """Peak memory since ``reset_peak``: resident set of the process, and allocations on the GPU."""
    cuda = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return {"rss": int(line.split()[1]) * 1024, "cuda": cuda}
    return {"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "cuda": cuda}
