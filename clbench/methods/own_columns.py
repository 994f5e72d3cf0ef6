"""An output layer per experience, side by side in one layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.scenario import Experience
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.classifier import Network, TextClassifier
from clbench.models.context import RunContext


class OwnColumnsLearner(ContinualLearner):
    """Cross-entropy over the columns of the current experience, which alone train.

    In evaluation all columns of the class mask compete, as for every method. Output weights of other columns
    stay as they are, bit for bit: their gradient is zero, and the output layer has no weight decay. With
    one column alone there would be nothing to learn: then all columns of the class mask compete and train.

    Args:
        context: What the run provides.
        network: The network to train.
    """

    network: TextClassifier
    own: Tensor  # (C,) bool: columns of the current experience

    def __init__(self, context: RunContext, network: Network | None = None) -> None:
        super().__init__(context, network)
        self.register_buffer("own", torch.ones(context.columns, dtype=torch.bool), persistent=False)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Notes the columns of the experience."""
        self.own.fill_(len(experience.columns) == 1)
        self.own[list(experience.columns)] = True

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy over the experience's own columns."""
        own = dataclasses.replace(batch, class_mask=batch.class_mask & self.own)
        return F.cross_entropy(self.scores(own), own.targets)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, without weight decay of the output layer."""
        rest = [each for name, each in self.named_trainable() if not name.startswith("network.head.")]
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.head.parameters()), "weight_decay": 0.0},
            {"params": rest},
        ]
        return torch.optim.AdamW(groups, lr=self.lr, weight_decay=self.context.weight_decay, fused=True)
