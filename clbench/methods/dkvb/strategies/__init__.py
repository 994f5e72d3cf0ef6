"""What keys do from the second experience on, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.strategies.averages import Averages
from clbench.methods.dkvb.strategies.base import KeyStrategy
from clbench.methods.dkvb.strategies.growth import Growth
from clbench.methods.dkvb.strategies.hardening import Hardening
from clbench.methods.dkvb.strategies.normalization import Normalization
from clbench.methods.dkvb.strategies.unused import Unused

Strategy = Literal["frozen", "average", "ema", "cvq", "unused", "normalize", "grow", "harden"]

MOVING: Mapping[Strategy, Callable[[Bottleneck, int, float], KeyStrategy]] = {
    "ema": Averages,
    "cvq": partial(Unused, guarded=False),
    "unused": partial(Unused, guarded=True),
    "normalize": Normalization,
    "grow": Growth,
    "harden": Hardening,
}
"""Made of the network, texts per step and the step size of averages. ``frozen`` keys stay where they are, and
``average`` is the moving average of the initialization, which goes on."""
