"""Analytic imbalance rectifier (AIR; Fang et al. 2024, arXiv 2408.10349).

Frozen mean features f become h = relu(f W), W fixed and uniform within 1 / sqrt(D). The logits are V h, V the
ridge regression of one-hot labels on h in which each class weighs the same: with A_c = sum h h^T and q_c the
sum of h over the n_c texts of class c, row c of V is (sum_k p_k A_k + gamma I)^-1 p_c q_c. Here p_c is
proportional to 1 / n_c, with a mean of 1 over the classes seen (their re-weighting module).

Carried: W, a matrix A_c for every class, since weights change when a class comes again, and V. Costs one pass
over the texts, no gradient, and one linear system per experience. Deviations: M is 1,000 where the code has
8,192, since C x M x M numbers are carried; the encoder is not trained on the first experience.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from clbench.core.ranges import Positive, Width
from clbench.methods.prototypes import sums_by_class
from clbench.methods.random_features import RandomFeatureLearner
from clbench.methods.ridge import ridge_regression
from clbench.models.context import RunContext


class AIR(RandomFeatureLearner):
    """Analytic imbalance rectifier.

    Args:
        context: What the run provides.
        dimensions: M, the number of random features; 0 takes the features themselves.
        gamma: The ridge; the paper's code has 0.1.
    """

    info = dataclasses.replace(
        RandomFeatureLearner.info,
        summary="ridge regression in which each class weighs the same",
        cost="one pass, one M x M system per experience",
        paper="Fang et al. 2024, arXiv 2408.10349",
        bibtex=("fang2024air",),
        search={"gamma": (1e-3, 1e3)},
        deviations=("the encoder is not trained on the first experience",),
    )

    grams: Tensor  # (C, M, M)
    sums: Tensor  # (C, M)

    def __init__(self, context: RunContext, dimensions: Width = 1000, gamma: Positive = 1.0) -> None:
        super().__init__(context, dimensions, "uniform")
        if dimensions != 8192:
            few = f"{dimensions:,} random features where the paper's code takes 8,192"
            self.info = dataclasses.replace(self.info, deviations=(few, *self.info.deviations))
        self.gamma = gamma
        self.register_zeros("grams", context.columns, self.size, self.size)
        self.register_zeros("sums", context.columns, self.size)

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums of each class."""
        projected = self.project(features)
        self.sums += sums_by_class(projected, targets, len(self.sums))
        for column in targets.unique().tolist():
            own = projected[targets == column]
            self.grams[column] += own.T @ own

    def consolidate(self) -> None:
        """Solves the weighted ridge regression."""
        shares = (self.counts > 0) / self.counts.clamp(min=1)  # (C,)
        shares *= (self.counts > 0).sum() / shares.sum()
        gram = (shares @ self.grams.flatten(1)).view(self.size, self.size)
        self.weight.copy_(ridge_regression(gram, shares.unsqueeze(1) * self.sums, self.gamma))
