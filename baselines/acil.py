"""Analytic class-incremental learning (ACIL; Zhuang et al. 2022, arXiv 2205.14922).

Frozen mean features f become h = relu(f W), W fixed and uniform within 1 / sqrt(D). The logits are V h, V the
ridge regression of one-hot labels on h. It is updated by recursive least squares: for texts X with labels Y,
K = (I + X R X^T)^-1 X R, R <- R - (X R)^T K, V <- V + (Y - X V^T)^T K, from R = I / gamma and V = 0. After
any texts in any order it is the ridge regression of all of them at once (their theorem 1; in this form Zhuang
et al. 2024, arXiv 2403.15706).

Carried: W, the inverse R and V; no sums. Costs one pass over the texts, no gradient, and per 256 texts a few
products of them with R. Deviations: M is 2,000 where the paper's code takes 8,192, for the time of these
products; the encoder is not trained on the first experience.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.ranges import Positive, Width
from clbench.methods.random_features import RandomFeatureLearner
from clbench.methods.ridge import recursive_least_squares
from clbench.models.context import RunContext


class ACIL(RandomFeatureLearner):
    """Analytic class-incremental learning.

    Args:
        context: What the run provides.
        dimensions: M, the number of random features; 0 is ridge regression on the features themselves.
        gamma: The ridge; the paper's code has 0.1.
    """

    info = dataclasses.replace(
        RandomFeatureLearner.info,
        summary="ridge regression by recursive least squares",
        cost="one pass, products with an M x M matrix",
        paper="Zhuang et al. 2022, arXiv 2205.14922",
        bibtex=("zhuang2022acil",),
        search={"gamma": (1e-3, 1e3)},
        deviations=("the encoder is not trained on the first experience",),
    )

    inverse: Tensor  # (M, M)

    def __init__(self, context: RunContext, dimensions: Width = 2000, gamma: Positive = 1.0) -> None:
        super().__init__(context, dimensions, "uniform")
        if dimensions != 8192:
            few = f"{dimensions:,} random features where the paper's code takes 8,192"
            self.info = dataclasses.replace(self.info, deviations=(few, *self.info.deviations))
        self.register_buffer("inverse", torch.eye(self.size, dtype=torch.float64) / gamma)

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Takes the texts into the regression."""
        labels = F.one_hot(targets, len(self.weight)).to(features.dtype)
        recursive_least_squares(self.inverse, self.weight, self.project(features), labels)
