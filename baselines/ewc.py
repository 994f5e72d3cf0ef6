"""Elastic weight consolidation (EWC; Kirkpatrick et al. 2017, arXiv 1612.00796).

Loss: cross-entropy + strength / 2 * sum_j F_j (w_j - a_j)^2 (their eq. 3), with a the weights at a boundary
and F the diagonal Fisher information, the mean over texts x of sum_y p(y|x) (d log p(y|x) / d w_j)^2 over the
labels y within the class mask (of a language model, all next tokens). With F_t the one of experience t, F is
the mean of all F_t so far, with a from the last boundary (``averaged``, default); F <- gamma F + F_t,
likewise (``online``; Schwarz et al. 2018, arXiv 1805.06370); or there is a penalty per experience, which add
up to one (``separate``, the original).

Carried: two numbers per trainable weight. A boundary costs a backward pass per text, and label if ``exact``.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Count, Ratio, Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import Labels, QuadraticPenalty, likelihood_gradients, mean_over_examples
from clbench.models.context import RunContext

DEVIATIONS = {"averaged": "one penalty with the mean of the F_t", "true": "true labels, not all labels"}


class EWC(ContinualLearner):
    """Elastic weight consolidation.

    Args:
        context: What the run provides.
        strength: Lambda, the weight of the penalty; 0 is naive fine-tuning, bit for bit. DKVB's paper: 5,000.
        fisher_examples: Most texts of an experience to estimate its Fisher information on.
        fisher: How the Fisher information of several experiences is combined.
        gamma: Decay of the Fisher information, for ``online``.
        labels: All (``exact``), one ``sampled`` or the ``true`` one; None: exact if frozen, else sampled.
    """

    info = MethodInfo(
        summary="penalty on moving weights of high Fisher information",
        cost="a backward pass for some texts at each boundary",
        paper="Kirkpatrick et al. 2017, arXiv 1612.00796",
        bibtex=("kirkpatrick2017ewc", "schwarz2018progress"),
        family="penalties",
        tasks=("classification", "language-model"),
        memory={"penalty.": "statistics"},
        search={"strength": (1.0, 1e6)},
        deviations=("the Fisher information is estimated on some of the texts",),
    )

    def __init__(
        self,
        context: RunContext,
        strength: Weight = 500.0,
        fisher_examples: Count = 100,
        fisher: Literal["averaged", "online", "separate"] = "averaged",
        gamma: Ratio = 0.95,
        labels: Labels | None = None,
    ) -> None:
        super().__init__(context)
        few = context.tuning == "frozen" and context.task == "classification"
        self.labels: Labels = labels or ("exact" if few else "sampled")
        ways = tuple(DEVIATIONS[each] for each in (fisher, self.labels) if each in DEVIATIONS)
        self.info = dataclasses.replace(self.info, deviations=(*self.info.deviations, *ways))
        self.fisher_examples, self.fisher, self.gamma = fisher_examples, fisher, gamma
        self.penalty = QuadraticPenalty(dict(self.named_trainable()), strength)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty."""
        return self.penalty.added_to(super().loss(batch))

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Estimates the Fisher information on the experience and moves the anchor."""
        penalty, new = self.penalty, self.estimate(reader)
        old, anchor = ({n: each[n].clone() for n in new} for each in (penalty.importance, penalty.anchor))
        if self.fisher == "averaged":
            count = float(penalty.boundaries)
            penalty.consolidate({name: (count * old[name] + new[name]) / (count + 1) for name in new})
        elif self.fisher == "online":
            penalty.consolidate({name: self.gamma * old[name] + new[name] for name in new})
        else:
            total = {name: old[name] + new[name] for name in new}
            penalty.consolidate(total)
            for name, each in total.items():
                penalty.anchor[name].lerp_(anchor[name], torch.where(each > 0, old[name] / each, 0))

    def estimate(self, reader: TextReader) -> dict[str, Tensor]:
        """The diagonal Fisher information of the trainable weights, by name, without dropout."""
        return mean_over_examples(self, reader, self._likelihoods, torch.square, self.fisher_examples)

    def _likelihoods(self, batch: Batch) -> tuple[Tensor, Tensor]:
        logits: Tensor = self(batch)
        return logits, likelihood_gradients(self.network, logits, batch, self.labels, self.generator)
