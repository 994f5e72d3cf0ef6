"""What work costs: seconds, and floating point operations by torch's own formulas."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
# Attention on the CPU has an operator of its own, which torch's table of formulas lacks.
_ALSO: Mapping[Any, Callable[..., int]] = MappingProxyType(
    {
        _aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
            _aten._scaled_dot_product_flash_attention
        ],
        _aten._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[
            _aten._scaled_dot_product_flash_attention_backward
        ],
    }
)


@dataclass(frozen=True)
class Cost:
    """What some work costs.

    Attributes:
        seconds: Of wall-clock time.
        flops: Floating point operations, as ``FlopCounter`` counts them.
        prefix_flops: Those that a frozen prefix would take for the texts that the work reads, had it to be
            evaluated anew each time that a text is read.
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

    It is ``torch.utils.flop_counter.FlopCounterMode`` without the account by module, which would cost more
    than the small steps that are counted here. What counts is products of matrices, convolutions and
    attention, two operations per multiply-add; sums, activations, lookups of rows and solved systems do not.

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


class Measurement:
    """What a block costs: ``with Measurement() as measured: ...``, then ``measured.cost``.

    Args:
        adjustment: What to add, so far, to whatever is measured (see ``clbench.cost.Meter``).

    Attributes:
        cost: Wall-clock seconds, once the GPU has finished its work, and operations; set when the block ends.
    """

    def __init__(self, adjustment: Callable[[], Cost] = Cost) -> None:
        self.cost = Cost()
        self._adjustment = adjustment
        self._counter = FlopCounter()

    def __enter__(self) -> Measurement:
        """Begins to measure."""
        self._started, self._before = time.perf_counter(), self._adjustment()
        self._counter.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Sets the cost."""
        self._counter.__exit__(*error)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        measured = Cost(time.perf_counter() - self._started, self._counter.total)
        self.cost = measured + self._adjustment() - self._before
