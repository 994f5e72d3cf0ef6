"""The text CNN on frozen token states that PyContinual's "frozen" rows have in place of a linear probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import padded
from clbench.models.body import Body, Connection
from clbench.models.layers import linear

WIDTHS = (3, 4, 5)
"""Tokens per window."""
CHANNELS = 100
"""Channels of each width."""
HIDDEN = 768
"""Units of each of the two fully connected layers."""
DROPOUT = 0.5


class TextCNN(Body):
    """Convolutions over token states, ReLU, maximum over time, and two layers of ReLU with dropout.

    Kim 2014 (arXiv 1408.5882) as PyContinual has it: 3 x 100 -> 768 -> 768. A convolution is a linear layer
    on windows of K neighboring states, so that methods that work on linear layers work on it. A window lies
    in its text; a text of fewer than K tokens has one window, filled up with zeros.

    Args:
        size: D, the size of the states.
        generator: Draws the weights.

    Attributes:
        sizes: Units of the three layers: all channels, and both fully connected layers.
    """

    sizes = (len(WIDTHS) * CHANNELS, HIDDEN, HIDDEN)

    def __init__(self, size: int, generator: torch.Generator) -> None:
        super().__init__()
        channels, first, second = self.sizes
        self.convolutions = nn.ModuleList([linear(width * size, CHANNELS, generator) for width in WIDTHS])
        self.first = linear(channels, first, generator)
        self.second = linear(first, second, generator)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, rows: Tensor, lengths: Tensor, gates: Sequence[Tensor] | None = None) -> Tensor:
        """Features (B, 768) of B texts, from packed token states (N, D)."""
        states, _ = padded(rows, lengths)  # (B, T, D)
        channels = torch.cat(
            [convolved(cast(nn.Linear, each), states, lengths) for each in self.convolutions], 1
        )
        if gates is None:
            return self._connected(channels, 1.0, 1.0)
        return self._connected(channels * gates[0], gates[1], gates[2])

    def connections(self) -> list[Connection]:
        """The windows are inputs of the convolutions."""
        channels, first, _ = self.sizes
        starts = range(0, channels, CHANNELS)
        convolutions = [
            (cast(nn.Linear, layer), slice(at, at + CHANNELS), None)
            for layer, at in zip(self.convolutions, starts, strict=True)
        ]
        hidden = slice(channels, channels + first)
        return [
            *convolutions,
            (self.first, hidden, slice(0, channels)),
            (self.second, slice(hidden.stop, sum(self.sizes)), hidden),
        ]

    def _connected(self, channels: Tensor, first: Tensor | float, second: Tensor | float) -> Tensor:
        states = self.dropout(F.relu(self.first(channels))) * first
        features: Tensor = self.dropout(F.relu(self.second(states))) * second
        return features


def convolved(
    layer: nn.Linear, states: Tensor, lengths: Tensor, added: Tensor | None = None, *, around: int = 0
) -> Tensor:
    """A convolution over time, ReLU, and the maximum over time: (B, ``out``).

    Args:
        layer: On windows of K states, (K D).
        states: (B, T, D); those after a text's end do not matter unless ``around`` reaches them: then zeros.
        lengths: States of each text, (B,).
        added: To the convolution, before ReLU, (B, ``out``).
        around: Zeros before and after each text.
    """
    width = layer.in_features // states.shape[2]
    states = F.pad(states, (0, 0, around, max(around, width - states.shape[1] - around)))
    windows = states.unfold(1, width, 1).transpose(2, 3).flatten(2)  # (B, T - K + 1, K D)
    counts = (lengths + 2 * around - width + 1).clamp(min=1)
    mask = torch.arange(windows.shape[1], device=states.device) < counts.unsqueeze(1)
    found = layer(windows[mask])
    if added is not None:
        found = found + added.repeat_interleave(counts, 0)
    out = found.new_zeros(*mask.shape, layer.out_features)  # ReLU is never below 0
    out[mask] = F.relu(found)
    channels: Tensor = out.amax(1)
    return channels
