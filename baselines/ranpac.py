"""Random projections and ridge regression (RanPAC; McDonnell et al. 2023, arXiv 2307.02251).

Frozen mean features f go through a fixed random projection and a ReLU, h = relu(f W), W normal, D x M. The
logits are h (G + ridge I)^-1 Q with G = sum h h^T and Q = sum h y^T over all texts seen, y one-hot: ridge
regression on all data at once, whatever the order (their section 4). By default the ridge is chosen after
each experience: of all texts seen so far, every fifth one judges regressions on the others by their squared
error. For that, the sums G and Q of these texts are kept as well. The paper takes the last fifth of each
experience by itself, which says nothing where an experience has one class.

It carries W, the sums and the solution. It costs one pass over the texts, no gradient, and about four linear
systems per experience. Deviations: the choice of the ridge; M is 2,000 where the paper takes 10,000, for the
time of these systems; the encoder is not tuned on the first experience.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.ranges import Positive, Size
from clbench.methods.info import MethodInfo
from clbench.methods.prototypes import PrototypeLearner, chosen_ridge, ridge_regression, sums_by_class
from clbench.models.context import RunContext


class RanPAC(PrototypeLearner):
    """Random projections and ridge regression.

    Args:
        context: What the run provides.
        dimensions: M, of the random projection.
        ridge: Lambda; by default it is chosen on held-out texts after each experience.
    """

    info = MethodInfo(
        paper="McDonnell et al. 2023, arXiv 2307.02251",
        bibtex=("mcdonnell2023ranpac",),
        family="prototypes",
        tunings=("frozen",),
        gradient_free=True,
        memory={"": "statistics"},  # all of it
        search={"ridge": (1e-2, 1e6)},
        deviations=("the encoder is not tuned on the first experience",),
    )

    projection: Tensor  # (D, M)
    gram: Tensor  # (M, M)
    targets: Tensor  # (C, M)
    held_gram: Tensor  # (M, M)
    held_targets: Tensor  # (C, M)
    weight: Tensor  # (C, M)

    def __init__(self, context: RunContext, dimensions: Size = 2000, ridge: Positive | None = None) -> None:
        super().__init__(context)
        ways = ["ridge is chosen on texts of all experiences, where the paper takes those of the last one"]
        if ridge is not None:
            ways = ["ridge is fixed, where the paper chooses it on held-out data of each experience"]
        if dimensions != 10_000:
            ways.append(f"{dimensions:,} random features where the paper takes 10,000")
        self.info = dataclasses.replace(self.info, deviations=(*ways, *self.info.deviations))
        self.ridge = ridge
        size, columns = context.encoder.hidden_size, context.columns
        normal = torch.randn(size, dimensions, generator=context.generator("projection"))
        self.register_buffer("projection", normal)
        for name in ("", "held_") if ridge is None else ("",):
            self.register_buffer(f"{name}gram", torch.zeros(dimensions, dimensions, dtype=torch.float64))
            self.register_buffer(f"{name}targets", torch.zeros(columns, dimensions, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(columns, dimensions, dtype=torch.float64))

    def project(self, features: Tensor) -> Tensor:
        """Features (B, D) as (B, M)."""
        return F.relu(features @ self.projection.to(features.dtype))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums."""
        projected = self.project(features)
        self.gram += projected.T @ projected
        self.targets += sums_by_class(projected, targets, len(self.targets))
        if self.ridge is None:
            last = int(self.counts.sum())  # of all texts so far, these included
            held = torch.arange(last - len(targets), last, device=targets.device) % 5 == 4
            self.held_gram += projected[held].T @ projected[held]
            self.held_targets += sums_by_class(projected[held], targets[held], len(self.targets))

    def consolidate(self) -> None:
        """Chooses the ridge and solves the ridge regression."""
        ridge = 1e3 if self.ridge is None else self.ridge
        if self.ridge is None and (self.counts > 0).sum() > 1:  # one class says nothing
            rest = (self.gram - self.held_gram, self.targets - self.held_targets)
            ridge = chosen_ridge(*rest, self.held_gram, self.held_targets, float(self.counts.sum() // 5))
        self.weight.copy_(ridge_regression(self.gram, self.targets, ridge))

    def readout(self, features: Tensor) -> Tensor:
        """The regression's outputs."""
        return self.project(features) @ self.weight.T
