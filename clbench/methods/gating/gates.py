"""A learned gate per experience and hidden unit, for hard attention to the task (HAT)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.methods.experience_choice import BegunExperiences

MOST = 6.0
"""Embeddings are kept within +-6, and s e within +-50, as in the authors' code."""
LARGEST_EXPONENT = 50.0


class Gates(BegunExperiences):
    """A gate in (0, 1) per experience and hidden unit: a = sigmoid(s e) (Serra et al. 2018, eq. 1).

    Args:
        sizes: Units of each gated layer.
        experiences: T.
        largest: S_max, the s of evaluation.
        generator: Draws the embeddings e, standard normal.

    Attributes:
        used: The largest gate of each unit over earlier experiences, layers concatenated.
    """

    used: Tensor

    def __init__(
        self, sizes: list[int], experiences: int, largest: float, generator: torch.Generator
    ) -> None:
        super().__init__(experiences)
        self.sizes = sizes
        self.largest = largest
        self.scale = largest  # s of this step
        self.embeddings = nn.Parameter(torch.randn(experiences, sum(sizes), generator=generator))
        self.register_buffer("used", torch.zeros(sum(sizes)))

    def forward(self, experience: Tensor) -> tuple[Tensor, ...]:
        """The gates of texts of these experiences, (B,): per layer, (B, units)."""
        scale = self.scale if self.training else self.largest
        gates = torch.sigmoid(scale * self.embeddings[experience])
        return torch.split(gates, self.sizes, 1)

    def anneal(self, step: int, steps: int) -> None:
        """Raises s from 1 / s_max to s_max over the steps of an epoch (eq. 3)."""
        share = step / max(1, steps - 1)
        self.scale = 1 / self.largest + (self.largest - 1 / self.largest) * share

    def usage(self, experience: Tensor) -> Tensor:
        """The mean gate of units that no earlier experience uses, each weighted by its freedom (eq. 5)."""
        free = 1 - self.used
        gates: Tensor = torch.cat(self(experience), 1).mean(0)  # one experience at a time: all rows are equal
        return (gates * free).sum() / free.sum().clamp(min=1e-6)

    def compensate(self) -> None:
        """Rescales the gradient of the embeddings to what it is at s = 1, times s_max (eq. 4)."""
        gradient = self.embeddings.grad
        if gradient is not None:
            inner = (self.scale * self.embeddings.detach()).clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
            scale = self.largest / self.scale
            gradient.mul_(scale * (inner.cosh() + 1) / (self.embeddings.detach().cosh() + 1))

    @torch.no_grad()
    def remember(self, experience: int) -> None:
        """Marks the units of an experience as used."""
        gates = torch.sigmoid(self.largest * self.embeddings[experience])
        torch.maximum(self.used, gates, out=self.used)

    def used_by_layer(self) -> tuple[Tensor, ...]:
        """``used``, per layer."""
        return torch.split(self.used, self.sizes)
