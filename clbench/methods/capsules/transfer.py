"""Transfer routing between the capsules of experiences, of CTR."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.methods.capsules.semantic import CAPSULE, CapsuleAdapter, begun_share, seen
from clbench.methods.gating.protection import Factor
from clbench.models.context import RunContext
from clbench.models.layers import linear
from clbench.models.text_cnn import CHANNELS, WIDTHS, convolved

WIDTH = CAPSULE * CAPSULE
"""Numbers per token and experience."""


class TransferRouting(nn.Module):
    """Decides from which earlier experiences to take, and how much (Ke et al. 2021, arXiv 2112.02706, 4.2).

    Args:
        experiences: N.
        generator: Draws the weights.
    """

    def __init__(self, experiences: int, generator: torch.Generator) -> None:
        super().__init__()
        self.experiences = experiences
        features = len(WIDTHS) * CHANNELS
        shape = (CAPSULE, experiences, CAPSULE, CAPSULE)
        self.weights = nn.Parameter(torch.randn(shape, generator=generator))
        self.current = nn.ModuleList([linear(width * WIDTH, CHANNELS, generator) for width in WIDTHS])
        self.compared = nn.ModuleList([linear(width * WIDTH, CHANNELS, generator) for width in WIDTHS])
        self.mixed = linear(features, CHANNELS, generator)
        self.similarity = linear(features, WIDTH, generator)
        self.decision = linear(features, 2, generator)

    def forward(self, capsules: Tensor, experience: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, 9) of capsules (B, N, T, 3); experience and length of each text, (B,)."""
        count = int(experience.max()) + 1  # later experiences have no say
        texts = len(capsules)
        parts = torch.einsum("bnti,cnio->bntco", capsules[:, :count], self.weights[:, :count]).flatten(3)
        own = parts[torch.arange(texts, device=parts.device), experience]  # (B, T, 9)
        features = self._features(parts, own, lengths)  # (B, count, 300)
        taken = self.similarity(features) * self.decided(features).unsqueeze(2)
        taken = taken * seen(experience, count).unsqueeze(2)
        transferred: Tensor = (taken.unsqueeze(2) * parts).sum(1)
        return transferred

    def decided(self, features: Tensor) -> Tensor:
        """Whether to take from each experience, 0 or 1, (B, N): drawn in training, else the larger logit."""
        logits: Tensor = self.decision(features)
        if self.training:
            return F.gumbel_softmax(logits, hard=True)[..., 0]
        return (logits[..., 0] >= logits[..., 1]).to(logits.dtype)

    def _features(self, parts: Tensor, own: Tensor, lengths: Tensor) -> Tensor:
        """How each experience compares with the text's own, (B, N, 300)."""
        count = parts.shape[1]
        current = torch.cat(
            [
                convolved(cast(nn.Linear, layer), own, lengths, around=width - 2)
                for layer, width in zip(self.current, WIDTHS, strict=True)
            ],
            1,
        )
        added = self.mixed(current).repeat_interleave(count, 0)
        states, lengths = parts.flatten(0, 1), lengths.repeat_interleave(count)
        found = [convolved(cast(nn.Linear, layer), states, lengths, added) for layer in self.compared]
        features: Tensor = torch.cat(found, 1).unflatten(0, (-1, count))
        return features

    def factors(self, experience: Tensor) -> list[Factor]:
        """Weights of later experiences do not train."""
        return [(self.weights, begun_share(experience, self.experiences)[:, None, None])]


class TransferAdapter(CapsuleAdapter):
    """The adapter of CTR: transferred capsules, a shared layer 9 -> D, then the masked adapter.

    Args:
        context: What the run provides.
        generator: Draws the weights.
    """

    width = WIDTH

    def __init__(self, context: RunContext, generator: torch.Generator) -> None:
        super().__init__(context, generator)
        self.routing = TransferRouting(context.experiences, generator)

    def transferred(self, capsules: Tensor) -> Tensor:
        """What is taken from all experiences so far, (B, T, 9)."""
        transferred: Tensor = self.routing(capsules, self.experience, self.mask.sum(1))
        return transferred

    def factors(self, used: tuple[Tensor, ...], experience: Tensor) -> list[Factor]:
        """Free shares; convolutions and decisions are shared by all experiences and not protected."""
        return [*super().factors(used, experience), *self.routing.factors(experience)]
