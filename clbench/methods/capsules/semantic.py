"""Semantic capsules: a few numbers per token and experience, and adapters that read them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.methods.gating.adapters import MaskedAdapter
from clbench.methods.gating.protection import Factor
from clbench.models.context import RunContext
from clbench.models.layers import linear

CAPSULE = 3
"""Numbers per token and experience, and capsules that are made of them."""
_TINY = 1e-16


def squash(vectors: Tensor, axis: int = -1) -> Tensor:
    """|v|^2 / (1 + |v|^2) v / |v| (Sabour et al. 2017, eq. 1): the direction stays, the length is below 1."""
    squared = vectors.square().sum(axis, keepdim=True) + _TINY
    return squared / (1 + squared) * vectors / squared.sqrt()


def seen(experience: Tensor, count: int) -> Tensor:
    """The task similarity vector of each text: true for its experience and earlier ones, (B, ``count``)."""
    return torch.arange(count, device=experience.device) <= experience.unsqueeze(1)


def begun_share(experience: Tensor, count: int) -> Tensor:
    """The free share of what belongs to each experience, (``count``,): 1 up to the current one, then 0."""
    return (torch.arange(count, device=experience.device) <= experience.max()).float()


class SemanticCapsules(nn.Module):
    """A linear layer D -> 3 per experience, squashed along the axis of experiences.

    Args:
        hidden_size: D.
        experiences: N.
        generator: Draws the weights.
    """

    def __init__(self, hidden_size: int, experiences: int, generator: torch.Generator) -> None:
        super().__init__()
        self.experiences = experiences
        self.layers = linear(hidden_size, experiences * CAPSULE, generator)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Capsules (B, N, T, 3) of states (B, T, D); zero where ``mask`` (B, T) is false."""
        capsules = squash(self.layers(states).float().unflatten(2, (self.experiences, CAPSULE)), 2)
        return (capsules * mask[..., None, None]).transpose(1, 2)

    def factors(self, experience: Tensor) -> list[Factor]:
        """Layers of later experiences do not train; those of earlier ones do, as in the authors' code."""
        share = begun_share(experience, self.experiences).repeat_interleave(CAPSULE)
        return [(self.layers.weight, share.unsqueeze(1)), (self.layers.bias, share)]


class CapsuleAdapter(MaskedAdapter):
    """A masked adapter that reads states plus what a transfer module makes of semantic capsules.

    Args:
        context: What the run provides.
        generator: Draws the weights.

    Attributes:
        width: Numbers per token that the transfer module gives.
    """

    width: int

    def __init__(self, context: RunContext, generator: torch.Generator) -> None:
        super().__init__(context, generator)
        self.semantic = SemanticCapsules(context.encoder.hidden_size, context.experiences, generator)
        self.larger = linear(self.width, context.encoder.hidden_size, generator)

    def enriched(self, states: Tensor) -> Tensor:
        """The states, and what comes of the capsules."""
        return states + self.taken(states)

    def taken(self, states: Tensor) -> Tensor:
        """What comes of the capsules of states (B, T, D), in the same shape."""
        taken: Tensor = self.larger(self.transferred(self.semantic(states, self.mask)))
        return taken

    def transferred(self, capsules: Tensor) -> Tensor:
        """(B, T, ``width``) of capsules (B, N, T, 3)."""
        raise NotImplementedError

    def factors(self, used: tuple[Tensor, ...], experience: Tensor) -> list[Factor]:
        """Free shares; the capsules are shared, so that earlier experiences can gain from later ones."""
        return [*super().factors(used, experience), *self.semantic.factors(experience)]
