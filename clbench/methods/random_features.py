"""Learners on a fixed random expansion of frozen features."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.methods.learner import TextReader
from clbench.methods.prototypes import PrototypeLearner
from clbench.models.context import RunContext

Weights = Literal["normal", "uniform"]


class RandomFeatureLearner(PrototypeLearner):
    """A prototype learner whose logits are V h, with h = relu(f W) and W drawn once.

    Args:
        context: What the run provides.
        dimensions: M, the number of random features; 0 takes the features f themselves.
        weights: The entries of W: standard normal, or uniform within 1 / sqrt(D).

    Attributes:
        size: The dimension of h: M, or D without random features.
        projection: W, (D, M).
        weight: V, (C, size), zeros at first.
    """

    projection: Tensor
    weight: Tensor

    def __init__(self, context: RunContext, dimensions: int, weights: Weights = "normal") -> None:
        super().__init__(context)
        inputs, generator = context.encoder.hidden_size, context.generator("projection")
        self.size = dimensions or inputs
        drawn = torch.empty(inputs, dimensions)
        if weights == "normal":
            drawn.normal_(generator=generator)
        else:
            drawn.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
        self.register_buffer("projection", drawn)
        self.register_zeros("weight", context.columns, self.size)

    def project(self, features: Tensor) -> Tensor:
        """H, (B, size), of features (B, D)."""
        if not self.projection.shape[1]:
            return features
        return F.relu(features @ self.projection.to(features.dtype))

    def expanded(self, reader: TextReader) -> tuple[Tensor, Tensor]:
        """H, (n, size), of all texts of a reader, and their classes as one-hot rows, (n, C)."""
        batches = [batch.to(self.device) for batch in reader.batches(self.read_at_once)]
        features = torch.cat([self.project(self.network(batch).double()) for batch in batches])
        targets = torch.cat([batch.targets for batch in batches])
        return features, F.one_hot(targets, self.context.columns).to(features.dtype)

    def readout(self, features: Tensor) -> Tensor:
        """V h."""
        return self.project(features) @ self.weight.T
