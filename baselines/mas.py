"""Memory aware synapses (MAS; Aljundi et al. 2018, arXiv 1711.09601).

A weight is important if the outputs f are sensitive to it: at each boundary its importance grows by the mean
over texts of |d ||f(x)||^2 / d w_j| (their section 4.1; no labels are needed). The penalty is
strength / 2 * sum_j importance_j (w_j - a_j)^2 (their eq. 4, where lambda is strength / 2), with a the
weights at the last boundary. f are the logits within a text's class mask.

Carried: two numbers per trainable weight. A boundary costs one backward pass per text of the estimate.
Deviation: at most ``examples`` texts are used for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Count, Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import QuadraticPenalty, mean_over_examples
from clbench.models.context import RunContext


class MAS(ContinualLearner):
    """Memory aware synapses.

    Args:
        context: What the run provides.
        strength: Lambda, the weight of the penalty; 0 is naive fine-tuning, bit for bit. The paper's lambda
            of 1 is 2 here.
        examples: Texts of an experience that the importance is estimated on, at most.
    """

    info = MethodInfo(
        summary="penalty on moving weights that the outputs depend on",
        cost="a backward pass for some texts at each boundary",
        paper="Aljundi et al. 2018, arXiv 1711.09601",
        bibtex=("aljundi2018mas",),
        family="penalties",
        memory={"penalty.": "statistics"},
        search={"strength": (1e-3, 1e3)},
        deviations=("importance is estimated on some of the texts",),
    )

    def __init__(self, context: RunContext, strength: Weight = 0.05, examples: Count = 100) -> None:
        super().__init__(context)
        self.examples = examples
        self.penalty = QuadraticPenalty(dict(self.named_trainable()), strength)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the penalty."""
        return self.penalty.added_to(super().loss(batch))

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds the importance on this experience, and moves the anchor here."""
        new = mean_over_examples(self, reader, self._squared_norm, torch.abs, self.examples)
        self.penalty.consolidate({name: self.penalty.importance[name] + new[name] for name in new})

    def _squared_norm(self, batch: Batch) -> tuple[Tensor, Tensor]:
        logits: Tensor = self(batch)[0]
        own = logits.detach().masked_fill(~batch.class_mask[0], 0)
        return logits, 2 * own.unsqueeze(0)  # d ||f||^2 / d f
