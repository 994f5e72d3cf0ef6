"""What methods remember of weights: copies by name, and penalties on moving away from them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightStore(nn.Module):
    """One tensor per named weight, kept as registered buffers of fixed shape.

    Args:
        weights: The weights to have a tensor for.
        zero: Start at zero instead of a copy.
        persistent: Whether checkpoints hold it: what lives within one experience need not be kept.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, zero: bool = False, persistent: bool = True) -> None:
        super().__init__()
        for name, weight in weights.items():
            start = torch.zeros_like(weight) if zero else weight.detach().clone()
            self.register_buffer(_key(name), start.detach(), persistent=persistent)

    def __getitem__(self, name: str) -> Tensor:
        return self.get_buffer(_key(name))

    def copy(self, weights: Mapping[str, Tensor]) -> None:
        """Takes the values of ``weights``."""
        for name, weight in weights.items():
            self[name].copy_(weight.detach())


class QuadraticPenalty(nn.Module):
    """``strength / 2 * sum_j importance_j (w_j - anchor_j)^2`` (Kirkpatrick et al. 2017, eq. 3).

    Args:
        weights: What trains, by name; the parameters themselves, not copies.
        strength: Its weight; 0 leaves the loss as it is, bit for bit.

    Attributes:
        importance: Of each weight; zero until a method sets it.
        anchor: Where each weight is held; the first weights until a method moves it.
        boundaries: Experiences consolidated so far, ().
    """

    boundaries: Tensor

    def __init__(self, weights: Mapping[str, Tensor], strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.weights = dict(weights)
        self.importance = WeightStore(weights, zero=True)
        self.anchor = WeightStore(weights)
        self.register_buffer("boundaries", torch.zeros((), dtype=torch.int64))

    def added_to(self, loss: Tensor) -> Tensor:
        """``loss`` and the penalty; before the first boundary there is none."""
        if not self.strength or not self.boundaries:
            return loss
        terms = [
            (self.importance[name] * (weight - self.anchor[name]).square()).sum()
            for name, weight in self.weights.items()
        ]
        return loss + self.strength / 2 * torch.stack(terms).sum()

    def gradient(self, name: str) -> Tensor:
        """The penalty's part in the gradient of a weight: strength x importance x (w - anchor)."""
        moved = self.weights[name].detach() - self.anchor[name]
        return self.strength * self.importance[name] * moved

    def consolidate(self, importance: Mapping[str, Tensor]) -> None:
        """Sets the importances and moves the anchor to the weights as they are."""
        for name in self.weights:
            self.importance[name].copy_(importance[name])
        self.anchor.copy(self.weights)
        self.boundaries += 1


def _key(name: str) -> str:
    return name.replace(".", "/")  # a buffer's name has no dots
