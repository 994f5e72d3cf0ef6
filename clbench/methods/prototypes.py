"""Classifiers by statistics of frozen features: one pass over the texts, no gradient."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.scenario import Experience
from clbench.core.types import Pooled
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.classifier import Network
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix

READ_AT_ONCE = 256
"""Texts per update; it changes results by rounding only."""
RIDGES = (-2, 6)
"""The smallest and the largest power of ten that a ridge is chosen from."""
FIRST_RIDGE = 3
"""The power of ten at which the search for a ridge starts."""


class FrozenFeatures(Network):
    """The pooled token states of a frozen encoder, and nothing after it."""

    pooling: Pooled

    def __init__(self, context: RunContext) -> None:
        super().__init__()
        self.pooling = context.pooling
        self.row_shape = (1, (context.encoder.hidden_size,), torch.float32)

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The pooled token states."""
        return FrozenPrefix(self.pooling)

    def forward(self, batch: Batch) -> Tensor:
        """Features (B, D)."""
        return batch.rows  # one row per text


class PrototypeLearner(ContinualLearner):
    """Accumulates statistics of the features of each class; logits are a function of these statistics.

    Sums are in double precision, so that the order of the texts does not matter. A method overrides
    ``observe``, ``consolidate`` and ``readout``. A class that was never seen has the lowest possible logit.

    Args:
        context: What the run provides.

    Attributes:
        counts: Texts seen of each class, (C,).
    """

    info = MethodInfo(family="prototypes", tunings=("frozen",), gradient_free=True)
    counts: Tensor

    def __init__(self, context: RunContext) -> None:
        super().__init__(context, FrozenFeatures(context))
        self.register_buffer("counts", torch.zeros(context.columns, dtype=torch.float64))

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Adds features (B, D), in double precision, with their columns (B,)."""
        raise NotImplementedError

    def consolidate(self) -> None:
        """Called after all texts of an experience were observed."""

    def readout(self, features: Tensor) -> Tensor:
        """Logits (B, C) of features (B, D); both in double precision."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        logits = self.readout(self.network(batch).double()).float()
        return logits.masked_fill(self.counts == 0, torch.finfo(logits.dtype).min)

    @torch.no_grad()
    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Observes the training texts of the experience, then consolidates."""
        for batch in reader.batches(READ_AT_ONCE):
            one = batch.to(self.device)
            self.counts += torch.bincount(one.targets, minlength=self.context.columns)
            self.observe(self.network(one).double(), one.targets)
        self.consolidate()


def sums_by_class(features: Tensor, targets: Tensor, columns: int) -> Tensor:
    """The sum of the features (B, D) of each class: (C, D)."""
    return features.new_zeros(columns, features.shape[1]).index_add_(0, targets, features)


def oracle_approximating_shrinkage(covariance: Tensor, texts: float) -> float:
    """How far to shrink a covariance towards the scaled identity: (1 - e) S + e v I, v the mean variance.

    The oracle approximating shrinkage (OAS; Chen et al. 2010, arXiv 0907.4698, eq. 23): with a the mean of
    the squares of all entries of S, e = min(1, (a + v^2) / ((n + 1) (a - v^2 / p))). Terms in 2 / p are left
    out, as in scikit-learn.

    Args:
        covariance: S, (p, p), of centered features, divided by n.
        texts: N, the number of texts.
    """
    square, variance = covariance.square().mean(), covariance.diagonal().mean()
    denominator = float((texts + 1) * (square - variance.square() / len(covariance)))
    return min(1.0, float(square + variance.square()) / denominator) if denominator > 0 else 1.0


def ridge_regression(gram: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Weights V, (C, M), of least |H V^T - Y|^2 + ridge |V|^2, from G = H^T H, (M, M), and Y^T H, (C, M)."""
    penalized = gram.clone()
    penalized.diagonal().add_(ridge)
    return torch.cholesky_solve(targets.T, torch.linalg.cholesky(penalized)).T


def chosen_ridge(
    gram: Tensor, targets: Tensor, held_gram: Tensor, held_targets: Tensor, held: float
) -> float:
    """The power of ten whose ridge regression has the least squared error on held-out texts.

    The squared error is tr(V G' V^T) - 2 tr(V Q'^T) + n'. The search goes from 1,000 downhill to the nearest
    minimum, since each candidate costs a Cholesky factor.

    Args:
        gram: G of the texts that are not held out, (M, M).
        targets: Their Y^T H, (C, M).
        held_gram: G' of the held-out texts.
        held_targets: Their Y^T H, Q'.
        held: N', the number of held-out texts, each with one class.
    """

    @functools.cache
    def error(power: int) -> float:
        weight = ridge_regression(gram, targets, 10.0**power)
        return float((weight @ held_gram * weight).sum() - 2 * (weight * held_targets).sum() + held)

    power, best = FIRST_RIDGE + 1, FIRST_RIDGE
    while best != power:
        power = best
        around = (each for each in (power, power - 1, power + 1) if RIDGES[0] <= each <= RIDGES[1])
        best = min(around, key=error)
    return 10.0**power
