"""Networks with a learned gate per experience and hidden unit, for hard attention to the task (HAT)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.models.adapters import Adapter
from clbench.models.classifier import TextClassifier, linear
from clbench.models.context import RunContext

MOST = 6.0
"""Embeddings are kept within +-6, and s e within +-50, as in the authors' code."""
LARGEST_EXPONENT = 50.0


class Gates(nn.Module):
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
        super().__init__()
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


class GatedClassifier(TextClassifier):
    """A text classifier whose hidden units are multiplied by the gates of the text's experience.

    With a frozen encoder, the hidden units are two layers of ReLU between its features and the output layer.
    With adapters, they are the units of the adapters' bottlenecks.

    Args:
        context: What the run provides.
        width: Units of each of the two layers, with a frozen encoder.
        largest: S_max.
    """

    def __init__(self, context: RunContext, width: int, largest: float) -> None:
        super().__init__(context)
        generator = context.generator("gates")
        self.opened: tuple[Tensor, ...] = ()
        self.hidden = nn.ModuleList()
        if self.encoder is None:
            size = context.encoder.hidden_size
            self.hidden.extend([linear(size, width, generator), linear(width, width, generator)])
            self.head = linear(width, context.columns, generator)
            sizes = [width, width]
        else:
            adapters = [module for module in self.encoder.modules() if isinstance(module, Adapter)]
            sizes = [adapter.down.out_features for adapter in adapters]
            for at, adapter in enumerate(adapters):
                adapter.up.register_forward_pre_hook(
                    lambda _, inputs, at=at: (inputs[0] * self.opened[at].unsqueeze(1),)
                )
        self.gates = Gates(sizes, context.experiences, largest, generator)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        self.opened = self.gates(batch.experience)
        if self.encoder is not None:
            return super().forward(batch)
        states = self.features(batch)
        for layer, gate in zip(self.hidden, self.opened, strict=True):
            states = F.relu(layer(states)) * gate
        logits: Tensor = self.head(states)
        return logits

    def protect(self) -> None:
        """Scales gradients down where earlier experiences use both ends of a weight (eq. 2).

        The gradient of a weight from unit j to unit i is multiplied by 1 - min(used_i, used_j). Inputs, and
        the residual stream that adapters write to, are always in use. Output columns are not shared.
        """
        used = self.gates.used_by_layer()
        if self.encoder is None:
            first, second = (cast(nn.Linear, layer) for layer in self.hidden)
            _scale(first, 1 - used[0].unsqueeze(1), 1 - used[0])
            _scale(second, 1 - torch.minimum(used[1].unsqueeze(1), used[0]), 1 - used[1])
            return
        adapters = [module for module in self.encoder.modules() if isinstance(module, Adapter)]
        anything = (self.gates.used.max() > 0).float()
        for adapter, each in zip(adapters, used, strict=True):
            _scale(adapter.down, 1 - each.unsqueeze(1), 1 - each)
            _scale(adapter.up, 1 - each, 1 - anything)


def _scale(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    if layer.weight.grad is not None:
        layer.weight.grad.mul_(weight)
    if layer.bias.grad is not None:
        layer.bias.grad.mul_(bias)
