"""Elastic weight consolidation (EWC; Kirkpatrick et al. 2017, arXiv 1612.00796).

Loss: cross-entropy + strength / 2 * sum_j F_j (w_j - a_j)^2 (their eq. 3), with a the weights at the last
boundary and F the diagonal Fisher information: the mean over texts of squared per-example gradients of
log p(y|x), y drawn from the model. F is averaged over the experiences so far, or accumulated with decay
gamma (online EWC; Schwarz et al. 2018, arXiv 1805.06370). One penalty at the last boundary stands for all:
what is carried is two numbers per weight, however long the stream.

Per-example gradients come from one backward pass each: a vectorised form would hold a copy of every
gradient of the encoder per text, and is no faster on it.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.batch import Batch
from clbench.learner import ContinualLearner, TextReader
from clbench.network import Context
from clbench.scenario import Experience


class EWC(ContinualLearner):
    """Elastic weight consolidation.

    Args:
        context: What the run provides.
        strength: Lambda, the weight of the penalty; 0 is naive fine-tuning, bit for bit.
        fisher_examples: Texts of an experience that its Fisher information is estimated on, at most.
        fisher: How the Fisher information of several experiences becomes one: their mean, or
            ``F <- gamma F + F_t``.
        gamma: Decay of the online form.
        labels: ``sampled`` from the model (the Fisher information) or the ``true`` ones (the "empirical"
            Fisher).
    """

    fisher_experiences: Tensor

    def __init__(
        self,
        context: Context,
        strength: float = 5000.0,
        fisher_examples: int = 100,
        fisher: Literal["averaged", "online"] = "averaged",
        gamma: float = 0.95,
        labels: Literal["sampled", "true"] = "sampled",
    ) -> None:
        super().__init__(context)
        self.strength = strength
        self.fisher_examples = fisher_examples
        self.fisher = fisher
        self.gamma = gamma
        self.labels = labels
        self.weights = dict(self.named_trainable())
        self.register_buffer("fisher_experiences", torch.zeros((), dtype=torch.int64))
        for name, weight in self.weights.items():
            self.register_buffer(self._name("fisher", name), torch.zeros_like(weight))
            self.register_buffer(self._name("anchor", name), weight.detach().clone())

    @staticmethod
    def _name(kind: str, weight: str) -> str:
        return f"{kind}_{weight.replace('.', '/')}"  # a buffer's name has no dots

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty."""
        loss = super().loss(batch)
        return loss + self.penalty() if self.strength and self.fisher_experiences else loss

    def penalty(self) -> Tensor:
        """Strength / 2 * sum_j F_j (w_j - a_j)^2, a scalar."""
        terms = [
            (self.get_buffer(self._name("fisher", name)) * (weight - self._anchor(name)).square()).sum()
            for name, weight in self.weights.items()
        ]
        return self.strength / 2 * torch.stack(terms).sum()

    def _anchor(self, name: str) -> Tensor:
        return self.get_buffer(self._name("anchor", name))

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Estimates the Fisher information on the experience and moves the anchor here."""
        estimate = self.estimate(reader)
        self.fisher_experiences += 1
        for name, weight in self.weights.items():
            total = self.get_buffer(self._name("fisher", name))
            if self.fisher == "online":
                total.mul_(self.gamma).add_(estimate[name])
            else:
                total.lerp_(estimate[name], 1 / float(self.fisher_experiences))
            self._anchor(name).copy_(weight.detach())

    def estimate(self, reader: TextReader) -> dict[str, Tensor]:
        """The diagonal Fisher information of the trainable weights, by name, without dropout."""
        was_training = self.training
        self.eval()
        weights = list(self.weights.values())
        sums = [torch.zeros_like(weight) for weight in weights]
        count = 0
        for batch in reader.batches(1, limit=self.fisher_examples):
            one = batch.to(self.device)
            scores = self.scores(one)
            targets = one.targets
            if self.labels == "sampled":
                probabilities = scores.detach().softmax(1).cpu()
                targets = torch.multinomial(probabilities, 1, generator=self.generator)[:, 0].to(self.device)
            loss = F.cross_entropy(scores, targets)
            for total, gradient in zip(sums, torch.autograd.grad(loss, weights), strict=True):
                total.add_(gradient.square())
            count += 1
        self.train(was_training)
        return {name: total / count for name, total in zip(self.weights, sums, strict=True)}
