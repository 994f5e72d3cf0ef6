"""An optimizer's moving averages, kept from one experience to the next."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class KeptMoments(nn.Module):
    """State of Adam for one optimizer over a whole stream: buffers, so that it is saved and counted.

    Lightning makes a new optimizer for each experience; ``give`` lets it go on where the last one ended.
    It updates the averages in place; ``count`` keeps the number of steps beside them.

    Args:
        parameters: What the optimizer trains, by name.
    """

    steps: Tensor

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._parameters_of = {name.replace(".", "_"): each for name, each in parameters.items()}
        self.register_buffer("steps", torch.zeros(()))
        for name, parameter in self._parameters_of.items():
            self.register_buffer(f"{name}_first", torch.zeros_like(parameter, requires_grad=False))
            self.register_buffer(f"{name}_second", torch.zeros_like(parameter, requires_grad=False))

    def give(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes these averages those of ``optimizer``."""
        for name, parameter in self._parameters_of.items():
            first, second = self.get_buffer(f"{name}_first"), self.get_buffer(f"{name}_second")
            optimizer.state[parameter] = {
                "step": self.steps.clone(),
                "exp_avg": first,
                "exp_avg_sq": second,
            }

    def count(self, steps: int) -> None:
        """Adds the steps of a training that is over."""
        self.steps += steps
