"""Routing by agreement between the capsules of experiences, of B-CL."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.methods.capsules.semantic import CAPSULE, CapsuleAdapter, begun_share, seen, squash
from clbench.methods.gating.protection import Factor, free_shares
from clbench.models.context import RunContext

ITERATIONS = 3
BLOCKED = -1e4
"""The logit of experiences that are still to come."""


class TaskRouting(nn.Module):
    """Dynamic routing of the capsules of experiences (Ke et al. 2021, section 3.2; Sabour et al. 2017).

    Args:
        experiences: N.
        tokens: T, the longest text.
        generator: Draws the weights, standard normal.
    """

    def __init__(self, experiences: int, tokens: int, generator: torch.Generator) -> None:
        super().__init__()
        self.experiences = experiences
        shape = (CAPSULE, experiences, CAPSULE * tokens, tokens)
        self.weights = nn.Parameter(torch.randn(shape, generator=generator))

    def forward(self, capsules: Tensor, experience: Tensor) -> Tensor:
        """(B, t, 3) of capsules (B, N, t, 3), whose texts are of these experiences (B,); t is at most T."""
        tokens = capsules.shape[2]
        weights = self.weights[:, :, : CAPSULE * tokens]  # tokens that are not there have no say
        priors = torch.einsum("bni,cnio->cbno", capsules.flatten(2), weights)
        allowed = seen(experience, self.experiences)
        logits = priors.new_zeros(priors.shape[:3])  # (3, B, N)
        votes = priors[:, :, 0]
        for step in range(ITERATIONS):
            shares = logits.masked_fill(~allowed, BLOCKED).softmax(2)
            votes = torch.einsum("cbn,cbno->cbo", shares, priors)
            if step < ITERATIONS - 1:
                logits = logits + torch.einsum("cbno,cbo->cbn", priors, squash(votes))
        return votes.permute(1, 2, 0)[:, :tokens]

    def factors(self, experience: Tensor) -> list[Factor]:
        """Weights of later experiences do not train."""
        return [(self.weights, begun_share(experience, self.experiences)[:, None, None])]


class RoutedAdapter(CapsuleAdapter):
    """The adapter of B-CL: routed capsules, a gated layer 3 -> D, then the masked adapter.

    Args:
        context: What the run provides.
        generator: Draws the weights.
    """

    width = CAPSULE

    def __init__(self, context: RunContext, generator: torch.Generator) -> None:
        super().__init__(context, generator)
        self.routing = TaskRouting(context.experiences, context.max_tokens, generator)

    @property
    def sizes(self) -> list[int]:
        """Gated units of each layer."""
        return [*super().sizes, self.larger.out_features]

    def taken(self, states: Tensor) -> Tensor:
        """What comes of the capsules, gated."""
        return super().taken(states) * self.opened[2].unsqueeze(1)

    def transferred(self, capsules: Tensor) -> Tensor:
        """What the routing makes of the capsules, (B, T, 3)."""
        routed: Tensor = self.routing(capsules, self.experience)
        return routed

    def factors(self, used: tuple[Tensor, ...], experience: Tensor) -> list[Factor]:
        """Free shares; the layer after the routing is protected by its gates."""
        own = [*free_shares(self.larger, used[2]), *self.routing.factors(experience)]
        return [*super().factors(used, experience), *own]
