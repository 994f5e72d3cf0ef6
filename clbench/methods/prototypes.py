"""Classifiers by statistics of frozen features: one pass over the texts, no gradient."""

from __future__ import annotations

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
        read_at_once: Texts per call of ``observe``.
        counts: Texts seen of each class, (C,).
    """

    info = MethodInfo(
        family="prototypes",
        tunings=("frozen",),
        gradient_free=True,
        memory={"": "statistics"},  # all of it
    )
    read_at_once = READ_AT_ONCE
    counts: Tensor

    def __init__(self, context: RunContext) -> None:
        super().__init__(context, FrozenFeatures(context))
        self.register_zeros("counts", context.columns)

    def register_zeros(self, name: str, *shape: int) -> None:
        """Registers a buffer of zeros in double precision."""
        self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

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
        for batch in reader.batches(self.read_at_once):
            one = batch.to(self.device)
            self.counts += torch.bincount(one.targets, minlength=self.context.columns)
            self.observe(self.network(one).double(), one.targets)
        self.consolidate()


def sums_by_class(features: Tensor, targets: Tensor, columns: int) -> Tensor:
    """The sum of the features (B, D) of each class: (C, D)."""
    return features.new_zeros(columns, features.shape[1]).index_add_(0, targets, features)
