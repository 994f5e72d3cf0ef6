"""CLASSIC: contrastive learning in adapters with hard attention (Ke et al. 2021, arXiv 2112.02714).

``adapterhat`` for domain-incremental streams, with features that experiences of one class share. With h the
pooled states under the gates of the current experience t, the loss is CE(h) + R + SupCon(h, h), R the mean
gate of free units and SupCon the supervised contrastive loss (Khosla et al. 2020) at temperature 1. From the
second experience on, h is mixed with the states under the gates of all earlier ones, without a gradient:
H = (h_1, ..., h_t), m = sum over columns of H + gamma V softmax(Q^T K)^T, with Q, K and V linear layers of H
along the axis of experiences and gamma 0 at the start. Then CE(m) + R + SupCon(h, m) is added.

Gates, masked updates and test time are those of ``adapterhat``; mixing is for training alone.

Carried: that of ``adapterhat`` and t x t layers per experience. A step of experience t costs t passes.
Deviation: contrastive distillation from old tasks, which the authors' settings leave out, is not here.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.ranges import Positive, Weight
from clbench.methods.contrastive import TaskAttention, supervised_contrastive
from clbench.methods.experience_choice import Chosen
from clbench.methods.gating.masked import MaskedLearner, Update
from clbench.models.context import RunContext


class CLASSIC(MaskedLearner):
    """CLASSIC: contrastive learning in adapters with hard attention.

    Args:
        context: What the run provides.
        temperature: Of the contrastive loss.
    """

    info = dataclasses.replace(
        MaskedLearner.info,
        summary="gated adapters with contrastive learning and attention between experiences",
        cost="a pass per earlier experience and step",
        paper="Ke et al. 2021, arXiv 2112.02714",
        bibtex=("ke2021classic", "khosla2020supervised"),
        deviations=(
            "a constant learning rate, which the authors warm up and decay",
            "no contrastive distillation, which the authors' settings leave out",
        ),
    )

    def __init__(
        self,
        context: RunContext,
        sparsity: Weight = 0.75,
        largest: Positive = 400.0,
        temperature: Positive = 1.0,
        gates: Chosen = "last_id",
        update: Update = "masked",
    ) -> None:
        super().__init__(context, sparsity, largest, gates, update)
        self.temperature, generator = temperature, context.generator("attention")
        self.attention = nn.ModuleList(
            [TaskAttention(count, generator) for count in range(2, context.experiences + 1)]
        )

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, the regularizer and the contrastive loss, of own and of mixed features."""
        network, earlier = self.network, self.network.gates.candidates()[:-1]
        own = network.features(batch)
        loss = self.path(batch, own, own)
        if earlier:
            others = [network.features_under(batch, each) for each in earlier]
            mixed = self.attention[len(earlier) - 1](torch.stack([*others, own], 2))
            loss = loss + self.path(batch, own, mixed)
        return loss

    def path(self, batch: Batch, own: Tensor, features: Tensor) -> Tensor:
        """The loss of features (B, D), contrasted with the text's own ones."""
        scores = self.network.head(features).masked_fill(~batch.class_mask, -torch.inf)
        contrast = supervised_contrastive(torch.stack([own, features]), batch.targets, self.temperature)
        usage = self.network.gates.usage(batch.experience)
        return F.cross_entropy(scores, batch.targets) + self.sparsity * usage + contrast
