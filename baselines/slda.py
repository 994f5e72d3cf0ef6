"""Streaming linear discriminant analysis (SLDA; Hayes and Kanan 2020, arXiv 1909.01520).

Classes are Gaussians with means mu_k and one covariance S. The logit of class k is x . w_k - mu_k . w_k / 2
with w_k = ((1 - e) S + e v I)^-1 mu_k (their section 3), e the shrinkage and v the mean variance. By default
e is estimated from S and the number of texts (OAS; Chen et al. 2010, arXiv 0907.4698): with few texts it must
be far from the paper's 1e-4.

It carries sums of features per class and of their outer products. It costs one pass over the texts, no
gradient, and one linear system per experience. Deviations: S is the exact pooled within-class covariance of
all texts seen (the paper's running update weights a text by the number of all texts before it, not of its
class); the identity is scaled by v, so that the shrinkage does not depend on the scale of the features; e is
estimated by default.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from clbench.core.ranges import Fraction
from clbench.methods.info import MethodInfo
from clbench.methods.prototypes import (
    PrototypeLearner,
    oracle_approximating_shrinkage,
    sums_by_class,
)
from clbench.models.context import RunContext


class SLDA(PrototypeLearner):
    """Streaming linear discriminant analysis.

    Args:
        context: What the run provides.
        shrinkage: E, in (0, 1]: the share of the scaled identity in the covariance; by default it is
            estimated after each experience (OAS). The paper has 1e-4.
    """

    info = MethodInfo(
        paper="Hayes and Kanan 2020, arXiv 1909.01520",
        bibtex=("hayes2020slda",),
        family="prototypes",
        tunings=("frozen",),
        gradient_free=True,
        memory={
            "counts": "statistics",
            "sums": "statistics",
            "products": "statistics",
            "weight": "statistics",
            "bias": "statistics",
        },
        search={"shrinkage": (1e-5, 1.0)},
        deviations=(
            "the exact pooled covariance in place of the running one",
            "shrinkage is relative to the mean variance",
        ),
    )

    sums: Tensor  # (C, D)
    products: Tensor  # (D, D)
    weight: Tensor  # (C, D)
    bias: Tensor  # (C,)

    def __init__(self, context: RunContext, shrinkage: Fraction | None = None) -> None:
        super().__init__(context)
        if shrinkage is None:
            estimated = "shrinkage is estimated, where the paper fixes it"
            self.info = dataclasses.replace(self.info, deviations=(*self.info.deviations, estimated))
        self.shrinkage = shrinkage
        columns, size = context.columns, context.encoder.hidden_size
        shapes = {"sums": (columns, size), "products": (size, size), "weight": (columns, size)}
        for name, shape in (*shapes.items(), ("bias", (columns,))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums and products."""
        self.sums += sums_by_class(features, targets, len(self.sums))
        self.products += features.T @ features

    def consolidate(self) -> None:
        """Solves for the weights."""
        means = self.sums / self.counts.clamp(min=1).unsqueeze(1)
        covariance = (self.products - self.sums.T @ means) / self.counts.sum()
        share = self.shrinkage
        if share is None:
            share = oracle_approximating_shrinkage(covariance, float(self.counts.sum()))
        shrunk = (1 - share) * covariance
        variance = covariance.diagonal().mean().clamp(min=1e-12)  # it is zero with one text per class
        shrunk.diagonal().add_(share * variance)
        self.weight.copy_(torch.linalg.solve(shrunk, means.T).T)
        self.bias.copy_(-(means * self.weight).sum(1) / 2)

    def readout(self, features: Tensor) -> Tensor:
        """The linear discriminants."""
        return features @ self.weight.T + self.bias
