"""Early stopping of an experience's training, on its validation texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from clbench.core.errors import UserError
from clbench.core.scenario import Protocol, Stream
from clbench.methods.learner import ContinualLearner


class EarlyStopping:
    """Stops after ``patience`` epochs without a better validation accuracy, and restores the best epoch.

    The criterion is accuracy, not loss: it is what runs are judged and tuned by, it has one meaning for all
    methods, whose losses have penalties and rehearsed texts in them, and an overconfident model can gain
    accuracy while its loss rises. An epoch must be strictly better; of equal ones the first is kept.

    Only trainable parameters are restored. Everything else stays as the last epoch left it: a replay buffer
    holds texts of all epochs, SI's path integral includes the steps that were taken back, and an optimizer
    that outlives the experience keeps its state. Methods that consolidate do so with the restored weights.

    Args:
        learner: The learner in training.
        patience: So many epochs may pass without a better accuracy.
        accuracy: Measures the learner on the validation texts of the experience.

    Attributes:
        accuracies: After each epoch.
        best: The best epoch, counted from 1; 0 before the first.
    """

    def __init__(self, learner: ContinualLearner, patience: int, accuracy: Callable[[], float]) -> None:
        self._learner, self._patience, self._accuracy = learner, patience, accuracy
        self._weights: dict[str, Tensor] = {}
        self.accuracies: list[float] = []
        self.best = 0

    def after_epoch(self) -> bool:
        """Measures the accuracy after an epoch; returns whether to stop."""
        self.accuracies.append(self._accuracy())
        if not self.best or self.accuracies[-1] > self.accuracies[self.best - 1]:
            self.best = len(self.accuracies)
            self._weights = {name: each.detach().clone() for name, each in self._learner.named_trainable()}
        return len(self.accuracies) - self.best >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far, and the best epoch with its weights."""
        return {"accuracies": self.accuracies, "best": self.best, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from ``state_dict``."""
        self.accuracies, self.best = list(state["accuracies"]), state["best"]
        self._weights = dict(state["weights"])

    @torch.no_grad()
    def restore(self) -> None:
        """Sets the trainable parameters to those after the best epoch."""
        for name, each in self._learner.named_trainable():
            each.copy_(self._weights[name])


def check_patience(stream: Stream, protocol: Protocol) -> None:
    """Whether a run can stop early, if it is to.

    Raises:
        UserError: ``patience`` is less than 1, or an experience has no validation texts.
    """
    if protocol.patience is None:
        return
    if protocol.patience < 1:
        raise UserError(f"option patience is {protocol.patience}: at least 1 epoch is wanted")
    for stage in stream.stages:
        if not len(stage.experience.splits["validation"]):
            raise UserError(
                f"option patience: experience '{stage.experience.name}' of scenario '{stream.scenario.name}' "
                "has no validation texts; give it some, or leave patience out"
            )
