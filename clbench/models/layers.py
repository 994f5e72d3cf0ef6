"""Layers with weights from a generator of their own."""

from __future__ import annotations

import torch
from torch import nn


def linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with weights uniform within 1 / sqrt(inputs), from ``generator``, and a bias of zero."""
    layer = nn.Linear(inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator)
    nn.init.zeros_(layer.bias)
    return layer
