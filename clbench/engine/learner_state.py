"""The whole state of a learner, within an experience as well as between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from clbench.methods.learner import ContinualLearner


def state_of(learner: ContinualLearner) -> dict[str, Any]:
    """Everything that a learner holds: its state, buffers of one experience, and its random state."""
    state = learner.state_dict()
    more = {name: each for name, each in learner.named_buffers() if name not in state}
    return {"state": dict(state), "more": more, "generator": learner.generator.get_state()}


def load_state(learner: ContinualLearner, state: Mapping[str, Any]) -> None:
    """Makes a learner what it was at ``state_of``."""
    learner.load_state_dict(state["state"])
    buffers: dict[str, Tensor] = dict(learner.named_buffers())
    for name, each in state["more"].items():
        buffers[name].copy_(each)
    learner.generator.set_state(state["generator"])


def refuse_infinite(learner: ContinualLearner) -> None:
    """Refuses weights from which no run could go on.

    Raises:
        FloatingPointError: A trainable parameter is not finite.
    """
    for name, weight in learner.named_trainable():
        if not torch.isfinite(weight).all():
            raise FloatingPointError(f"parameter {name} is not finite; try a lower learning rate")
