"""L2: a quadratic penalty on the distance of the weights from those at the last boundary.

Loss: cross-entropy + strength / 2 * sum_j (w_j - a_j)^2, with a the weights at the last boundary: EWC with
a Fisher information of one (Kirkpatrick et al. 2017, arXiv 1612.00796, figure 2A). Carried: one number per
trainable weight. A boundary costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import WeightStore
from clbench.models.context import RunContext


class L2(ContinualLearner):
    """A quadratic penalty with the same weight for every parameter.

    Args:
        context: What the run provides.
        strength: The weight of the penalty; 0 is naive fine-tuning, bit for bit.
    """

    info = MethodInfo(
        summary="penalty on moving away from the weights of the last boundary",
        cost="as naive fine-tuning",
        paper="Kirkpatrick et al. 2017, arXiv 1612.00796",
        bibtex=("kirkpatrick2017ewc",),
        family="penalties",
        tasks=("classification", "language-model"),
        memory={"anchor.": "statistics", "boundaries": "statistics"},
        search={"strength": (1e-4, 1e2)},
    )
    boundaries: Tensor

    def __init__(self, context: RunContext, strength: Weight = 0.5) -> None:
        super().__init__(context)
        self.strength = strength
        self.weights = dict(self.named_trainable())
        self.anchor = WeightStore(self.weights)
        self.register_buffer("boundaries", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty."""
        loss = super().loss(batch)
        if not self.strength or not self.boundaries:
            return loss
        terms = [(weight - self.anchor[name]).square().sum() for name, weight in self.weights.items()]
        return loss + self.strength / 2 * torch.stack(terms).sum()

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Moves the anchor here."""
        self.anchor.copy(self.weights)
        self.boundaries += 1
