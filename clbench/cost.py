"""What a run costs: seconds and operations by phase, and peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from clbench.flops import Cost, Measurement

Phase = Literal["encode", "keys", "train", "consolidate", "evaluate"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class Meter:
    """Seconds of wall-clock time and floating point operations, by phase.

    Args:
        adjustment: What to add, so far, to whatever is measured. Work that is accounted for elsewhere may
            happen inside any phase: frozen features are computed when they are first needed, and cost what
            they cost whoever needs them first.

    Attributes:
        costs: Phase to what it cost so far.
        earlier: Wall-clock seconds of the run before it was stopped.
    """

    def __init__(self, adjustment: Callable[[], Cost] = Cost) -> None:
        self.costs: dict[Phase, Cost] = dict.fromkeys(PHASES, Cost())
        self.earlier = 0.0
        self._adjustment = adjustment
        self._started = time.perf_counter()

    @property
    def wall(self) -> float:
        """Seconds since the run began, its stops left out."""
        return self.earlier + time.perf_counter() - self._started

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Adds what the block costs to ``phase``."""
        with Measurement(self._adjustment) as measured:
            yield
        self.costs[phase] += measured.cost


def costs_to_json(costs: Mapping[Phase, Cost]) -> dict[str, Any]:
    """Seconds and operations of each phase and in total, as they stand in a result file.

    ``flops.spent`` is what is computed where each text goes through a frozen prefix once; ``flops.algorithm``
    evaluates that prefix anew each time that a text is read, as the method does by its description.
    """
    seconds = {str(phase): cost.seconds for phase, cost in costs.items()}
    described = {str(phase): cost.flops + cost.prefix_flops for phase, cost in costs.items()}
    described["encode"] = 0  # it is in the phases that read its outcome
    spent = {str(phase): cost.flops for phase, cost in costs.items()}
    return {
        "seconds": {**seconds, "total": sum(seconds.values())},
        "flops": {
            "algorithm": sum(described.values()),
            "spent": sum(spent.values()),
            "phases": {phase: {"algorithm": described[phase], "spent": spent[phase]} for phase in spent},
        },
    }


def costs_from_json(content: Mapping[str, Any]) -> dict[Phase, Cost]:
    """The costs by phase that ``costs_to_json`` wrote, but for the encoding phase's share in the others."""
    phases = content["flops"]["phases"]
    return {
        phase: Cost(
            content["seconds"][phase],
            phases[phase]["spent"],
            0 if phase == "encode" else phases[phase]["algorithm"] - phases[phase]["spent"],
        )
        for phase in PHASES
    }


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
