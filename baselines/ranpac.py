"""Random projections and ridge regression (RanPAC; McDonnell et al. 2023, arXiv 2307.02251).

Frozen mean features f go through a fixed random projection and a ReLU, h = relu(f W), W normal, D x M. The
logits are h (G + ridge I)^-1 Q with G = sum h h^T and Q = sum h y^T over all texts seen, y one-hot: ridge
regression on all data at once, whatever the order (their section 4). By default the ridge is chosen after
each experience: every fifth text of all seen so far judges regressions on the others by their squared error;
sums over these texts are kept as well. The paper's choice, ``experience``, takes the last fifth of each
experience by itself, which says nothing where an experience has one class.

It carries W, the sums and the solution. It costs one pass over the texts and about four M x M systems per
experience. Deviations: the choice of the ridge; M; the encoder is not tuned first.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from clbench.core.ranges import Positive, Size
from clbench.core.scenario import Experience
from clbench.methods.learner import TextReader
from clbench.methods.random_features import RandomFeatureLearner
from clbench.methods.ridge import RegressionSums, chosen_ridge, ridge_of_last_texts, ridge_regression
from clbench.models.context import RunContext


class RanPAC(RandomFeatureLearner):
    """Random projections and ridge regression.

    Args:
        context: What the run provides.
        dimensions: M; the paper has 10,000, whose systems take half a minute each.
        ridge: Lambda; by default it is chosen on held-out texts after each experience.
        choice: The texts that choose it: a fifth of the stream so far, or of the experience as in the paper.
    """

    info = dataclasses.replace(
        RandomFeatureLearner.info,
        summary="random projections and ridge regression",
        cost="one pass, about four M x M systems per experience",
        paper="McDonnell et al. 2023, arXiv 2307.02251",
        bibtex=("mcdonnell2023ranpac",),
        search={"ridge": (1e-2, 1e6)},
        deviations=("the encoder is not tuned on the first experience",),
    )

    def __init__(
        self,
        context: RunContext,
        dimensions: Size = 2000,
        ridge: Positive | None = None,
        choice: Literal["stream", "experience"] = "stream",
    ) -> None:
        super().__init__(context, dimensions)
        fixed = "ridge is fixed, where the paper chooses it on held-out data of each experience"
        stream = "ridge is chosen on texts of all experiences, where the paper takes those of the last one"
        self.choice = choice if ridge is None else "none"
        ways = {stream: self.choice == "stream", fixed: self.choice == "none"}
        ways[f"{dimensions:,} random features where the paper takes 10,000"] = dimensions != 10_000
        taken = (text for text, holds in ways.items() if holds)
        self.info = dataclasses.replace(self.info, deviations=(*taken, *self.info.deviations))
        self.ridge = 1e3 if ridge is None else ridge  # where there is nothing to choose from yet
        self.sums = RegressionSums(dimensions, context.columns)
        self.held = RegressionSums(dimensions, context.columns) if self.choice == "stream" else None

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds to the sums."""
        projected = self.project(features)
        self.sums.add(projected, targets)
        if self.held is not None:
            last = int(self.counts.sum())  # of all texts so far, these included
            held = torch.arange(last - len(targets), last, device=targets.device) % 5 == 4
            self.held.add(projected[held], targets[held])

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Chooses the ridge if by the paper's rule, and passes over the texts."""
        if self.choice == "experience":
            self.ridge = ridge_of_last_texts(*self.expanded(reader))
        super().end_experience(experience, reader)

    def consolidate(self) -> None:
        """Chooses the ridge if by ours, and solves the ridge regression."""
        ridge = self.ridge
        if self.held is not None and (self.counts > 0).sum() > 1:  # one class says nothing
            ridge = chosen_ridge(self.sums, self.held, float(self.counts.sum() // 5))
        self.weight.copy_(ridge_regression(self.sums.gram, self.sums.targets, ridge))
