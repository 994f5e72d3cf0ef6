"""Feature covariances for exemplar-free learning (FeCAM; Goswami et al. 2023, arXiv 2309.14062).

Frozen mean features x, scaled to length 1, are Gaussian in each class. The logit of class c is minus the
squared Mahalanobis distance (x - m_c)^T S_c^-1 (x - m_c) (their eq. 2), with S_c the class covariance after
shrinkage, S + a1 v I + a2 w (1 - I), v and w the mean diagonal and off-diagonal entry of S (eq. 5), and
after scaling to correlations, S_ij / sqrt(S_ii S_jj) (eq. 6): distances of classes then compare.

Carried: per class a count, a sum, and a matrix of products, or one such matrix with ``shared``. One pass over
the texts, no gradient. A prediction costs a D x D product per text and class, and inverts a matrix per class.
Deviations: no Tukey transform, since features of text encoders are negative too (the authors leave it out for
a pretrained ViT as well); ``shared`` is the pooled covariance around class means, where the authors average
those around the means of experiences, and do not scale it.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.ranges import Weight
from clbench.methods.covariance import correlations, shrunk, within_covariance
from clbench.methods.prototypes import PrototypeLearner, sums_by_class
from clbench.models.context import RunContext


class FeCAM(PrototypeLearner):
    """Mahalanobis distances with a covariance per class.

    Args:
        context: What the run provides.
        covariance: One per class, or one that all classes share.
        alpha1: Weight of the mean variance, on the diagonal; the authors have 1.
        alpha2: Weight of the mean covariance, off the diagonal.
    """

    info = dataclasses.replace(
        PrototypeLearner.info,
        summary="Mahalanobis distance to class means, with a covariance per class",
        cost="one pass; a D x D product per class and test text",
        paper="Goswami et al. 2023, arXiv 2309.14062",
        bibtex=("goswami2023fecam",),
        search={"alpha1": (1e-2, 1e2)},
        named_by_value=("covariance",),
    )

    sums: Tensor  # (C, D)
    products: Tensor  # (C, D, D), or (1, D, D)

    def __init__(
        self,
        context: RunContext,
        covariance: Literal["class", "shared"] = "class",
        alpha1: Weight = 10.0,
        alpha2: Weight = 0.0,
    ) -> None:
        super().__init__(context)
        self.shared, self.alpha1, self.alpha2 = covariance == "shared", alpha1, alpha2
        if self.shared:
            pooled = "the shared covariance is around class means and scaled to correlations"
            self.info = dataclasses.replace(self.info, deviations=(pooled,))
        size = context.encoder.hidden_size
        self.register_zeros("sums", context.columns, size)
        self.register_zeros("products", 1 if self.shared else context.columns, size, size)

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums and products."""
        unit = F.normalize(features)
        self.sums += sums_by_class(unit, targets, len(self.sums))
        owners = torch.zeros_like(targets) if self.shared else targets
        for owner in owners.unique().tolist():
            own = unit[owners == owner]
            self.products[owner] += own.T @ own

    def readout(self, features: Tensor) -> Tensor:
        """Minus the squared Mahalanobis distance to each class mean."""
        unit = F.normalize(features)
        logits = unit.new_zeros(len(unit), len(self.sums))
        seen = self.counts.nonzero()[:, 0]
        for group in [seen] if self.shared else seen.unsqueeze(1):
            products = self.products[0 if self.shared else int(group)]
            covariance = within_covariance(products, self.sums[group], self.counts[group])
            system = correlations(shrunk(covariance, self.alpha1, self.alpha2))
            precision = torch.linalg.pinv(system, hermitian=True)
            for column in group.tolist():
                away = unit - self.sums[column] / self.counts[column]
                logits[:, column] = -((away @ precision) * away).sum(1)
        return logits
