"""Which experience's parameters a text has where its own experience is not known."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.models.classifier import Network

Chosen = Literal["last_id", "ent_id"]
"""Whose parameters a text of an unknown experience has: those of the last one, or of least entropy."""


class BegunExperiences(nn.Module):
    """Notes which experiences were begun.

    Args:
        experiences: T.

    Attributes:
        begun: Which experiences were begun, (T,).
        last: The experience that was begun last.
    """

    begun: Tensor
    last: Tensor

    def __init__(self, experiences: int) -> None:
        super().__init__()
        self.register_buffer("begun", torch.zeros(experiences, dtype=torch.bool))
        self.register_buffer("last", torch.zeros((), dtype=torch.int64))

    def begin(self, experience: int) -> None:
        """Notes which experience is trained on."""
        self.begun[experience] = True
        self.last.fill_(experience)

    def candidates(self) -> list[int]:
        """The experiences that a text of an unknown one may have: those begun, the last at the end.

        Before training, that is the first experience.
        """
        last = int(self.last)
        return [each for each in self.begun.nonzero().flatten().tolist() if each != last] + [last]


def logits_by_choice(network: Network, begun: BegunExperiences, batch: Batch, chosen: Chosen) -> Tensor:
    """Logits (B, C) of texts of unknown experiences.

    Args:
        network: Its logits depend on ``batch.experience``.
        begun: The experiences so far.
        batch: The texts.
        chosen: ``last_id``: as texts of the last experience. ``ent_id``: each as a text of the experience
            under which the entropy of its class probabilities is least; a forward pass per experience.
    """
    candidates = begun.candidates()
    each = [
        network(dataclasses.replace(batch, experience=torch.full_like(batch.experience, candidate)))
        for candidate in (candidates[-1:] if chosen == "last_id" else candidates)
    ]
    logits = torch.stack(each)  # (candidates, B, C)
    scores = logits.masked_fill(~batch.class_mask, -torch.inf)
    best = entropy(scores).argmin(0)
    return logits[best, torch.arange(len(best), device=best.device)]


def entropy(scores: Tensor) -> Tensor:
    """The entropy of softmax(scores) over the last axis; scores of minus infinity have no probability."""
    logs = scores.log_softmax(-1)
    return -(logs.exp() * logs.masked_fill(logs.isinf(), 0)).sum(-1)
