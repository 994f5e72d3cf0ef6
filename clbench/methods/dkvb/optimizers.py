"""Plain stochastic gradient descent on the rows that a sparse gradient has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class RowSGD(torch.optim.Optimizer):
    """``w <- w - lr g``, where a sparse g is added entry by entry; other rows are not touched.

    ``torch.optim.SGD`` does the same, but merges the entries of equal rows first, which takes longer than all
    the rest of the step.

    Args:
        params: Parameters, or groups of them with a learning rate each.
        lr: The learning rate of groups that have none.
    """

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; ``closure`` computes the gradients and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _descend(weight, weight.grad, group["lr"])
        return loss


def _descend(weight: Tensor, gradient: Tensor, lr: float) -> None:
    if gradient.is_sparse:
        rows, entries = gradient._indices()[0], gradient._values()  # coalescing is what takes time
        # With an expanded index this is several times faster than index_put_ or index_add_.
        weight.scatter_add_(0, rows.unsqueeze(1).expand_as(entries), entries * -lr)
    else:
        weight.add_(gradient, alpha=-lr)


class KeptMoments(nn.Module):
    """State of Adam for one optimizer over a whole stream: buffers, so that it is saved and counted.

    Each experience has a new optimizer; ``give`` lets it go on where the last one ended. It updates averages
    and counts of steps in place.

    Args:
        parameters: What the optimizer trains, by name.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._parameters_of = {name.replace(".", "_"): each for name, each in parameters.items()}
        for name, parameter in self._parameters_of.items():
            self.register_buffer(f"{name}_steps", torch.zeros(()))
            self.register_buffer(f"{name}_first", torch.zeros_like(parameter, requires_grad=False))
            self.register_buffer(f"{name}_second", torch.zeros_like(parameter, requires_grad=False))

    def give(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes these tensors the state of ``optimizer``."""
        for name, parameter in self._parameters_of.items():
            optimizer.state[parameter] = {
                "step": self.get_buffer(f"{name}_steps"),
                "exp_avg": self.get_buffer(f"{name}_first"),
                "exp_avg_sq": self.get_buffer(f"{name}_second"),
            }
