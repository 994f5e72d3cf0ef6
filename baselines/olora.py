"""Orthogonal low-rank adaptation (O-LoRA; Wang et al. 2023, arXiv 2310.14152).

Each experience has a pair of matrices A_t, B_t per query and value projection, whose output for x becomes
W x + (alpha / r) sum_i B_i A_i x over all experiences so far. Earlier pairs are frozen; a new one learns in
directions of its own: loss = cross-entropy + strength * sum over layers and i < t of |A_i A_t^T|, the sum of
absolute values as in the authors' code. At the end of an experience its pair joins the frozen ones, and a new
one is drawn, with B = 0.

Carried: T pairs per projection. A step is one of LoRA with rank r T. Deviations: no dropout of what updates
read, where the authors have 0.1; a linear output layer, where they generate labels. A bare penalty can be met
by shrinking A.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Positive, Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.attention import lora_targets
from clbench.models.context import RunContext
from clbench.models.low_rank import LowRankClassifier


class OLoRA(ContinualLearner):
    """Orthogonal low-rank adaptation; the rank r is ``--lora-rank``.

    Args:
        context: What the run provides.
        strength: Lambda, the weight of the penalty; 0 leaves the directions free.
        alpha: Updates are multiplied by alpha / r.
    """

    info = MethodInfo(
        name="O-LoRA",
        summary="a low-rank update per experience, orthogonal to frozen earlier ones",
        cost="low-rank updates of all experiences",
        paper="Wang et al. 2023, arXiv 2310.14152",
        bibtex=("wang2023olora",),
        family="projections and masks",
        tunings=("lora",),
        default_lr={"lora": 3e-3},
        memory={"network.added.": "weights"},
        search={"strength": (1e-2, 1e1)},
        deviations=(
            "no dropout of what updates read",
            "an output layer, where the authors generate labels",
        ),
    )

    network: LowRankClassifier

    def __init__(self, context: RunContext, strength: Weight = 0.5, alpha: Positive = 32.0) -> None:
        network = LowRankClassifier(context, lora_targets, alpha / context.lora_rank)
        super().__init__(context, network)
        self.strength = strength
        self._draw(context.generator("low rank"))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty, which is zero in the first experience."""
        overlaps = [each.overlap() for each in self.network.sums.values()]
        return super().loss(batch) + self.strength * torch.stack(overlaps).sum()

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Freezes the pairs of the experience, and draws new ones."""
        for each in self.network.sums.values():
            each.keep(experience.index)
        self._draw(self.generator)

    def _draw(self, generator: torch.Generator) -> None:
        for each in self.network.sums.values():
            each.draw(generator)
