"""Types that several rooms share: the options of a run that are one of a few words, and a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

Tuning = Literal["full", "frozen", "adapter", "lora", "prompt"]
"""Which parameters of the encoder train, or what is trained beside it."""
TUNINGS: tuple[Tuning, ...] = get_args(Tuning)
Task = Literal["classification", "language-model"]
"""What a learner learns: the class of a text, or the next token."""
Placement = Literal["houlsby", "pfeiffer"]
"""Where adapters are: after attention and feed-forward part, or after the latter alone."""
Precision = Literal["auto", "float32", "bfloat16"]
"""The precision in which encoders compute."""
Pooled = Literal["mean", "cls", "last"]
"""How token states become one vector per text: their mean, the first one, or the last one."""
Head = Literal["linear", "cnn"]
"""What a frozen encoder's token states go through: a linear layer on one vector, or a text CNN."""
Family = Literal[
    "naive", "bottleneck", "penalties", "rehearsal", "prototypes", "projections and masks", "other"
]
"""The family of a method; figures color methods by it."""
FAMILIES: tuple[Family, ...] = get_args(Family)
StreamKind = Literal["sequential", "joint", "single"]
"""Train on one experience after the other, on all at once, or a fresh learner on each."""
WandbMode = Literal["disabled", "offline", "online"]
"""Whether and how a run is logged to Weights & Biases."""
OnProgress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""
