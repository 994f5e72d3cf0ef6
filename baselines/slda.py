"""Streaming linear discriminant analysis (SLDA; Hayes and Kanan 2020, arXiv 1909.01520).

Classes are Gaussians with means mu_k and one covariance S. The logit of class k is x . w_k - mu_k . w_k / 2
with w_k = ((1 - e) S + e v I)^-1 mu_k (their section 3), e the shrinkage and v the mean variance.

It carries sums of features per class and of their outer products. It costs one pass over the texts, no
gradient, and one linear system per experience. Deviations: S is the exact pooled within-class covariance of
all texts seen (the paper's running update weights a text by the number of all texts before it, not of its
class); the identity is scaled by v, so that the shrinkage does not depend on the scale of the features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.methods.info import MethodInfo
from clbench.methods.prototypes import PrototypeLearner, sums_by_class
from clbench.models.context import RunContext


class SLDA(PrototypeLearner):
    """Streaming linear discriminant analysis.

    Args:
        context: What the run provides.
        shrinkage: E, in (0, 1]: the share of the scaled identity in the covariance.
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

    def __init__(self, context: RunContext, shrinkage: float = 1e-2) -> None:
        super().__init__(context)
        self.shrinkage = shrinkage
        columns, size = context.columns, context.encoder.hidden_size
        shapes = {
            "sums": (columns, size),
            "products": (size, size),
            "weight": (columns, size),
            "bias": (columns,),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums and products."""
        self.sums += sums_by_class(features, targets, len(self.sums))
        self.products += features.T @ features

    def consolidate(self) -> None:
        """Solves for the weights."""
        means = self.sums / self.counts.clamp(min=1).unsqueeze(1)
        covariance = (self.products - self.sums.T @ means) / self.counts.sum()
        identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
        scaled = covariance.trace() / len(covariance) * identity
        self.weight.copy_(torch.linalg.solve(covariance.lerp(scaled, self.shrinkage), means.T).T)
        self.bias.copy_(-(means * self.weight).sum(1) / 2)

    def readout(self, features: Tensor) -> Tensor:
        """The linear discriminants."""
        return features @ self.weight.T + self.bias
