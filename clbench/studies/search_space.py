"""What a search varies: the learning rate, and the arguments that a method lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clbench.core.config import RunConfig
from clbench.core.types import Tuning
from clbench.engine.registry import arguments_of
from clbench.methods.info import MethodInfo, SearchRange

if TYPE_CHECKING:
    from clbench.methods.learner import ContinualLearner

LR_FACTOR = 30.0
"""The learning rate is searched between the method's default divided and multiplied by this factor."""
LINEAR_LR_DIVISOR = 300.0
"""A linear layer on frozen features is searched further down, since it forgets least with small steps:
naive fine-tuning on ``clinc150-cil`` has an average accuracy of 65 % with 1e-4, and of 49 % with 3e-4."""


def space(info: MethodInfo, config: RunConfig) -> dict[str, SearchRange]:
    """The search space: the learning rate, and the arguments that the method lists and the user did not set.

    It is empty where there is nothing to search.
    """
    found: dict[str, SearchRange] = {}
    if not info.gradient_free and config.lr is None:
        default = _default_lr(info, config)
        divisor = LINEAR_LR_DIVISOR if _trains_linear_layer(info, config) else LR_FACTOR
        found["lr"] = (default / divisor, default * LR_FACTOR)
    given = config.arguments
    if any(given.get(name, value) not in (value, None) for name, value in info.search_needs.items()):
        return found
    return found | {name: each for name, each in info.search.items() if name not in given}


def defaults(baseline: type[ContinualLearner], config: RunConfig) -> dict[str, Any]:
    """The method's own value of each dimension of its search space."""
    own = {**arguments_of(baseline), "lr": _default_lr(baseline.info, config)}
    return {name: own[name] for name in space(baseline.info, config)}


def _tuning(info: MethodInfo, config: RunConfig) -> Tuning:
    return config.tuning or info.tunings[0]


def _default_lr(info: MethodInfo, config: RunConfig) -> float:
    return info.lr(_tuning(info, config), config.head)


def _trains_linear_layer(info: MethodInfo, config: RunConfig) -> bool:
    has_head = "cnn" in info.default_lr  # the memories of DKVB have none
    return has_head and _tuning(info, config) == "frozen" and config.head == "linear"
