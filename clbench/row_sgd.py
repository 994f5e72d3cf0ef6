"""Plain stochastic gradient descent on the rows that a sparse gradient has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


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
        weight.index_put_((rows,), entries * -lr, accumulate=True)
    else:
        weight.add_(gradient, alpha=-lr)
