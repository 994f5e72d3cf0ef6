"""Naive learning through bottleneck adapters in a frozen encoder (Houlsby et al. 2019, arXiv 1902.00751).

Adapters and the output layer train on each experience in turn; the encoder's own weights never change.
It carries the adapters and the output layer. Deviation: layer normalisation stays frozen too.
"""

from __future__ import annotations

from typing import ClassVar

from clbench.learner import ContinualLearner
from clbench.network import Tuning


class Adapters(ContinualLearner):
    """Naive fine-tuning whose only tuning is ``adapter``; ``--adapter_size`` is the bottleneck's width."""

    tunings: ClassVar[tuple[Tuning, ...]] = ("adapter",)
