"""Synaptic intelligence (SI; Zenke et al. 2017, arXiv 1703.04200).

During an experience, omega_j accumulates how much the changes of weight w_j lowered the loss: the sum over
steps of -g_j * (change of w_j), with g the gradient of the cross-entropy alone. At the boundary its
importance grows by omega_j / ((w_j - w_j at the last boundary)^2 + damping) (their eq. 5), and the penalty is
strength / 2 * sum_j importance_j (w_j - a_j)^2, with a the weights at the last boundary (their eq. 4, where
c is strength / 2).

Carried: two numbers per trainable weight. A step costs a few element-wise operations more. Deviation: an
experience's term of the importance counts as zero where omega is negative; the authors' code clips the sum
of all terms at zero instead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Positive, Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import QuadraticPenalty, WeightStore
from clbench.models.context import RunContext


class SI(ContinualLearner):
    """Synaptic intelligence.

    Args:
        context: What the run provides.
        strength: Twice c, the weight of the penalty; 0 is naive fine-tuning, bit for bit. The paper has a c
            of 1 on split MNIST, and 0.1 elsewhere.
        damping: Xi, which keeps the importance of weights that hardly moved finite.
    """

    info = MethodInfo(
        summary="penalty on moving weights that lowered the loss so far",
        cost="elementwise work per step",
        paper="Zenke et al. 2017, arXiv 1703.04200",
        bibtex=("zenke2017si",),
        family="penalties",
        tasks=("classification", "language-model"),
        memory={"penalty.": "statistics"},
        search={"strength": (1e-3, 1e3)},
        deviations=("negative terms of the importance count as zero, where the authors clip their sum",),
    )

    def __init__(self, context: RunContext, strength: Weight = 2.0, damping: Positive = 0.1) -> None:
        super().__init__(context)
        self.damping = damping
        weights = dict(self.named_trainable())
        self.penalty = QuadraticPenalty(weights, strength)
        self.path = WeightStore(weights, zero=True, persistent=False)  # omega; zero at each boundary
        self.before = WeightStore(weights, zero=True, persistent=False)  # the last step
        self.gradient = WeightStore(weights, zero=True, persistent=False)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty."""
        return self.penalty.added_to(super().loss(batch))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stores the weights and the gradient of the cross-entropy: the gradient without the penalty's."""
        self.before.copy(self.penalty.weights)
        for name, weight in self.penalty.weights.items():
            if weight.grad is not None:
                self.gradient[name].copy_(weight.grad)
                if self.penalty.strength and self.penalty.boundaries:
                    self.gradient[name].sub_(self.penalty.gradient(name))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Adds the first-order decrease of the loss in this step to omega."""
        for name, weight in self.penalty.weights.items():
            self.path[name].sub_(self.gradient[name] * (weight.detach() - self.before[name]))

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds omega to the importances and moves the anchor to the current weights."""
        penalty = self.penalty
        importance = {}
        for name, weight in penalty.weights.items():
            moved = (weight.detach() - penalty.anchor[name]).square()
            importance[name] = penalty.importance[name] + self.path[name].clamp(min=0) / (
                moved + self.damping
            )
            self.path[name].zero_()
        penalty.consolidate(importance)
