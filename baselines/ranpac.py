"""Random projections and ridge regression (RanPAC; McDonnell et al. 2023, arXiv 2307.02251).

Frozen mean features f go through a fixed random projection and a ReLU, h = relu(f W), W normal, D x M. The
logits are h (G + ridge I)^-1 Q with G = sum h h^T and Q = sum h y^T over all texts seen, y one-hot: ridge
regression on all data at once, whatever the order (their section 4).

It carries W, G, Q and the solution. It costs one pass over the texts, no gradient, and one linear system per
experience. Deviations: M is 2,000 where the paper takes 10,000, for the time of that system; ``ridge`` is an
argument, where the paper chooses it on held-out texts of each experience; the encoder is not tuned on the
first experience.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.methods.info import MethodInfo
from clbench.methods.prototypes import PrototypeLearner, sums_by_class
from clbench.models.context import RunContext


class RanPAC(PrototypeLearner):
    """Random projections and ridge regression.

    Args:
        context: What the run provides.
        dimensions: M, of the random projection.
        ridge: Lambda.
    """

    info = MethodInfo(
        paper="McDonnell et al. 2023, arXiv 2307.02251",
        bibtex=("mcdonnell2023ranpac",),
        family="prototypes",
        tunings=("frozen",),
        gradient_free=True,
        memory={
            "counts": "statistics",
            "projection": "statistics",
            "gram": "statistics",
            "targets": "statistics",
            "weight": "statistics",
        },
        search={"ridge": (1e-2, 1e6)},
        deviations=(
            "ridge is fixed, where the paper chooses it on held-out data of each experience",
            "the encoder is not tuned on the first experience",
        ),
    )

    projection: Tensor  # (D, M)
    gram: Tensor  # (M, M)
    targets: Tensor  # (C, M)
    weight: Tensor  # (C, M)

    def __init__(self, context: RunContext, dimensions: int = 2000, ridge: float = 100.0) -> None:
        super().__init__(context)
        if dimensions != 10_000:
            fewer = f"{dimensions:,} random features where the paper takes 10,000"
            self.info = dataclasses.replace(self.info, deviations=(fewer, *self.info.deviations))
        self.ridge = ridge
        size, columns = context.encoder.hidden_size, context.columns
        normal = torch.randn(size, dimensions, generator=context.generator("projection"))
        self.register_buffer("projection", normal)
        self.register_buffer("gram", torch.zeros(dimensions, dimensions, dtype=torch.float64))
        self.register_buffer("targets", torch.zeros(columns, dimensions, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(columns, dimensions, dtype=torch.float64))

    def project(self, features: Tensor) -> Tensor:
        """Features (B, D) as (B, M)."""
        return F.relu(features @ self.projection.to(features.dtype))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to G and Q."""
        projected = self.project(features)
        self.gram += projected.T @ projected
        self.targets += sums_by_class(projected, targets, len(self.targets))

    def consolidate(self) -> None:
        """Solves the ridge regression."""
        identity = torch.eye(len(self.gram), dtype=self.gram.dtype, device=self.gram.device)
        factor = torch.linalg.cholesky(self.gram + self.ridge * identity)
        self.weight.copy_(torch.cholesky_solve(self.targets.T, factor).T)

    def readout(self, features: Tensor) -> Tensor:
        """The regression's outputs."""
        return self.project(features) @ self.weight.T
