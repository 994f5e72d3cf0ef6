"""How far each weight may move, given which units earlier experiences use (HAT, eq. 2)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

Factor = tuple[Tensor, Tensor]
"""A weight, and the share of its update that it may make: between 0 and 1, of a shape that broadcasts."""


def free_shares(layer: nn.Linear, outputs: Tensor, inputs: Tensor | None = None) -> list[Factor]:
    """The free share of the weights of a layer: 1 - min(used_i, used_j) from unit j to unit i.

    Args:
        layer: With ``out`` outputs and ``in`` inputs.
        outputs: How far each output is in use, (out,), or (1,) if it is the same for all.
        inputs: How far each input is in use, (in,); None where inputs are always in use.
    """
    both = outputs.unsqueeze(1) if inputs is None else torch.minimum(outputs.unsqueeze(1), inputs)
    return [(layer.weight, 1 - both), (layer.bias, 1 - outputs)]


def scale_gradients(factors: Iterable[Factor]) -> None:
    """Multiplies gradients by the free shares. An optimizer that rescales them, as Adam does, undoes this."""
    for weight, share in factors:
        if weight.grad is not None:
            weight.grad.mul_(share)


class MaskedUpdate:
    """Multiplies what an optimizer's step changes by the free shares, whatever the optimizer.

    A weight whose share is 0 does not move at all: neither through the moments of Adam nor by weight decay.

    Args:
        factors: The shares. The weights are noted as they are now, before the step.
    """

    def __init__(self, factors: Iterable[Factor]) -> None:
        self._before = [(weight, share, weight.detach().clone()) for weight, share in factors]

    @torch.no_grad()
    def apply(self) -> None:
        """Called after the step."""
        for weight, share, before in self._before:
            weight.copy_(torch.lerp(before, weight, share.to(weight.dtype).expand_as(weight)))
