"""What a run costs: seconds and operations by phase, and peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
# Attention on the CPU has an operator of its own, which torch's table of formulas lacks.
_ALSO: Mapping[Any, Callable[..., int]] = {
    getattr(_aten, f"_scaled_dot_product_flash_attention_for_cpu{part}"): flop_registry[
        getattr(_aten, f"_scaled_dot_product_flash_attention{part}")
    ]
    for part in ("", "_backward")
}


@dataclass(frozen=True)
class Cost:
    """What some work costs.

    Attributes:
        seconds: Of wall-clock time.
        flops: Floating point operations, as ``FlopCounter`` counts them.
        prefix_flops: Operations that the frozen prefix would take for the texts that the work reads, if it
            were evaluated each time that a text is read.
    """

    seconds: float = 0.0
    flops: int = 0
    prefix_flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.seconds + other.seconds, self.flops + other.flops, self.prefix_flops + other.prefix_flops
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.seconds - other.seconds, self.flops - other.flops, self.prefix_flops - other.prefix_flops
        )


class FlopCounter(TorchDispatchMode):
    """Counts what is computed while it is entered, on this thread, backward passes included.

    It is ``torch.utils.flop_counter.FlopCounterMode`` without the statistics per module, which would take
    more time than the small steps that are counted here. Matrix products, convolutions and attention count,
    with two operations per multiply-add. Sums, activations, lookups and linear solvers do not.

    Attributes:
        total: Operations so far, over all times that it was entered.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs one operator and adds what it costs."""
        kwargs = kwargs or {}
        packet = getattr(func, "_overloadpacket", func)  # what torch.cond and the like call has none
        formula = flop_registry.get(packet) or _ALSO.get(packet)
        if formula is None and isinstance(func, torch._ops.OpOverload):
            with self:  # in inference mode operators come whole that elsewhere come in parts
                out = func.decompose(*args, **kwargs)
                if out is not NotImplemented:
                    return out
        out = func(*args, **kwargs)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=out)
        return out


def clock() -> float:
    """Seconds of a clock, read once the GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


Phase = Literal["encode", "keys", "train", "validate", "consolidate", "evaluate"]
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass
class Account:
    """What a block costs by itself, without the blocks inside it that have accounts of their own."""

    cost: Cost = Cost()


class Meter:
    """Seconds of wall-clock time and floating point operations of a run, by phase.

    Opening an account pauses the one around it: each second and each operation belongs to the innermost open
    account. Work outside of any phase is charged to none.

    Attributes:
        costs: What each phase costs so far.
        earlier: Wall-clock seconds of the run before it was stopped.
    """

    def __init__(self) -> None:
        self.costs: dict[Phase, Cost] = dict.fromkeys(PHASES, Cost())
        self.earlier = 0.0
        self._open: list[Account] = []
        self._phases: list[tuple[Phase, Account]] = []  # the open ones
        self._counter = FlopCounter()
        self._since, self._flops = 0.0, 0
        self.start()

    def start(self) -> None:
        """Begins to count the run's wall-clock time."""
        self._started = clock()

    @property
    def wall(self) -> float:
        """Seconds since the run started, without the time between a stop and the resumption."""
        return self.earlier + clock() - self._started

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Adds what the block costs to ``phase``, also where the block fails."""
        account = Account()
        try:
            with self.apart() as account:
                self._phases.append((phase, account))
                yield
        finally:
            self._phases.pop()
            self.costs[phase] += account.cost

    def so_far(self) -> dict[Phase, Cost]:
        """What each phase costs so far, those included that are not over."""
        if self._open:
            self._settle()
        costs = dict(self.costs)
        for phase, account in self._phases:
            costs[phase] += account.cost
        return costs

    @contextmanager
    def apart(self) -> Iterator[Account]:
        """An account of its own, in no phase: for what no method is charged for, or charged otherwise.

        ``with Meter().apart() as account: ...`` measures a block by itself, beside any other meter.
        """
        if not self._open:
            self._counter.__enter__()
        self._settle()
        account = Account()
        self._open.append(account)
        try:
            yield account
        finally:
            self._settle()
            self._open.pop()
            if not self._open:
                self._counter.__exit__(None, None, None)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Inside an open account: operations of the block are not counted, and the block charges for them.

        Counting takes some microseconds per operator, which is more than a small operator takes itself.
        """
        self._counter.__exit__(None, None, None)
        try:
            yield
        finally:
            self._counter.__enter__()

    def charge(self, cost: Cost) -> None:
        """Adds a recorded cost to the innermost open account; without one it is charged to nobody."""
        if self._open:
            self._open[-1].cost += cost

    def _settle(self) -> None:
        """Charges what was spent since the last call to the innermost open account."""
        now, flops = clock(), self._counter.total
        self.charge(Cost(now - self._since, flops - self._flops))
        self._since, self._flops = now, flops


def costs_to_json(costs: Mapping[Phase, Cost]) -> dict[str, Any]:
    """Seconds and operations of each phase and in total, in the form of a result file.

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
    """The costs by phase, from what ``costs_to_json`` returned."""
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
    """Resets the recorded memory peaks, where the system supports it (Linux; CUDA)."""
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
