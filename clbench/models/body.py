"""Trained layers between a frozen encoder's states and the output layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

Connection = tuple[nn.Linear, slice | None, slice | None]
"""A layer, and its outputs and inputs among all hidden units; None where they are no hidden units."""


class Body(nn.Module):
    """Maps what is kept of the states of B texts to features (B, ``sizes[-1]``) for the output layer.

    Attributes:
        sizes: Hidden units of each layer.
    """

    sizes: tuple[int, ...]

    def forward(self, rows: Tensor, lengths: Tensor, gates: Sequence[Tensor] | None = None) -> Tensor:
        """Features of B texts.

        Args:
            rows: Packed rows (N, D).
            lengths: Rows of each text, (B,).
            gates: What the units of each layer are multiplied by, each (B, units); None is 1.
        """
        raise NotImplementedError

    def connections(self) -> list[Connection]:
        """Which hidden units each layer connects."""
        raise NotImplementedError
