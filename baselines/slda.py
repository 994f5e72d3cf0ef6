"""Streaming linear discriminant analysis (SLDA; Hayes and Kanan 2020, arXiv 1909.01520).

Classes are Gaussians with means mu_k and one covariance S. The logit of class k is x . w_k - mu_k . w_k / 2
with w_k = ((1 - e) S + e v I)^-1 mu_k (their section 3), e the shrinkage and v the mean variance. By default
e is estimated from S and the number of texts (OAS; Chen et al. 2010, arXiv 0907.4698): with few texts it must
be far from the paper's 1e-4.

It carries sums of features per class and of products. Deviations: S is the exact pooled covariance (the
paper's running one weights a text by the number of all texts before it, not of its class); the identity is
scaled by v; e is estimated. The variant ``reference`` has none of these.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from clbench.core.ranges import Fraction
from clbench.methods.covariance import LEAST, oracle_approximating_shrinkage, running_scatter
from clbench.methods.prototypes import PrototypeLearner, sums_by_class
from clbench.models.context import RunContext


class SLDA(PrototypeLearner):
    """Streaming linear discriminant analysis.

    Args:
        context: What the run provides.
        shrinkage: E, the share of the identity; None estimates it (OAS), or is 1e-4 for ``reference``.
        variant: The exact covariance, or the running one of the authors (``reference``).
    """

    info = dataclasses.replace(
        PrototypeLearner.info,
        summary="streaming linear discriminant analysis",
        cost="one pass, one D x D system per experience",
        paper="Hayes and Kanan 2020, arXiv 1909.01520",
        bibtex=("hayes2020slda",),
        search={"shrinkage": (1e-5, 1.0)},
        named_by_value=("variant",),
        deviations=(
            "the exact pooled covariance in place of the running one",
            "shrinkage is relative to the mean variance",
        ),
    )

    sums: Tensor  # (C, D)
    products: Tensor  # (D, D)
    weight: Tensor  # (C, D)
    bias: Tensor  # (C,)

    def __init__(
        self,
        context: RunContext,
        shrinkage: Fraction | None = None,
        variant: Literal["default", "reference"] = "default",
    ) -> None:
        super().__init__(context)
        self.running = variant == "reference"
        self.shrinkage = 1e-4 if self.running and shrinkage is None else shrinkage
        estimated = ("shrinkage is estimated, where the paper fixes it",) * (self.shrinkage is None)
        ways = () if self.running else (*self.info.deviations, *estimated)
        self.info = dataclasses.replace(self.info, deviations=ways)
        columns, size = context.columns, context.encoder.hidden_size
        self.register_zeros("products", size, size)
        for name, shape in {"sums": (columns, size), "weight": (columns, size), "bias": (columns,)}.items():
            self.register_zeros(name, *shape)

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums and products."""
        if self.running:
            before = self.counts - torch.bincount(targets, minlength=len(self.counts))
            self.products += running_scatter(features, targets, self.sums, before)
        else:
            self.products += features.T @ features
        self.sums += sums_by_class(features, targets, len(self.sums))

    def consolidate(self) -> None:
        """Solves for the weights."""
        means = self.sums / self.counts.clamp(min=1).unsqueeze(1)
        scatter = self.products if self.running else self.products - self.sums.T @ means
        covariance = scatter / self.counts.sum()
        if (share := self.shrinkage) is None:
            share = oracle_approximating_shrinkage(covariance, float(self.counts.sum()))
        variance = covariance.diagonal().mean().clamp(min=LEAST)
        shrunk = (1 - share) * covariance
        shrunk.diagonal().add_(share if self.running else share * variance)
        self.weight.copy_(torch.linalg.solve(shrunk, means.T).T)
        self.bias.copy_(-(means * self.weight).sum(1) / 2)

    def readout(self, features: Tensor) -> Tensor:
        """The linear discriminants."""
        return features @ self.weight.T + self.bias
