"""Nearest class mean (NCM; Mensink et al. 2013; in continual learning Rebuffi et al. 2017, arXiv 1611.07725).

A text belongs to the class whose mean feature is nearest: the logits are cosines between the frozen mean
feature of the text and each class mean, or minus half the squared Euclidean distance.

It carries one sum of features and a count per class. It costs one pass over the texts and no gradient.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.methods.prototypes import PrototypeLearner, sums_by_class
from clbench.models.context import RunContext


class NCM(PrototypeLearner):
    """Nearest class mean.

    Args:
        context: What the run provides.
        metric: What nearest means.
    """

    info = dataclasses.replace(
        PrototypeLearner.info,
        summary="nearest class mean",
        cost="one pass",
        paper="Mensink et al. 2013, doi 10.1109/TPAMI.2013.83",
        bibtex=("mensink2013ncm", "rebuffi2017icarl"),
        memory={"counts": "statistics", "sums": "statistics"},
        search={"metric": ("cosine", "euclidean")},
    )

    sums: Tensor  # (C, D)

    def __init__(self, context: RunContext, metric: Literal["cosine", "euclidean"] = "cosine") -> None:
        super().__init__(context)
        self.metric = metric
        size = context.encoder.hidden_size
        self.register_buffer("sums", torch.zeros(context.columns, size, dtype=torch.float64))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums."""
        self.sums += sums_by_class(features, targets, len(self.sums))

    def readout(self, features: Tensor) -> Tensor:
        """Cosine, or minus half the squared distance, to each class mean."""
        means = self.sums / self.counts.clamp(min=1).unsqueeze(1)
        if self.metric == "cosine":
            return F.normalize(features) @ F.normalize(means).T
        return -torch.cdist(features, means).square() / 2
