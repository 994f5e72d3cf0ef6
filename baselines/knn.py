"""Nearest neighbors (kNN; Cover and Hart 1967).

A text takes the class of most of its k nearest training texts, by the cosine or the Euclidean distance of
frozen mean features. With known experiences, only texts of the text's own class mask count. The logit of a
class is its number of neighbors; the r-th nearest one adds (k - r) / k^2, which only decides ties.

Carried: the features of all training texts, or a buffer of ``capacity`` of them, the usual replay buffer. It
costs one pass over the texts and no gradient; a prediction costs a product with every text in the memory.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Capacity, Count
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.prototypes import READ_AT_ONCE, FrozenFeatures
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext

ASKED_AT_ONCE = 512  # texts that are compared with the memory at once


class KNN(ContinualLearner):
    """Nearest neighbors.

    Args:
        context: What the run provides.
        k: Neighbors that vote.
        metric: What nearest means.
        capacity: Texts in the memory; None keeps all.
        fill: What a smaller memory is balanced over: nothing (reservoir), classes, or experiences.
    """

    info = MethodInfo(
        name="kNN",
        summary="majority of the nearest training texts",
        cost="one pass; a product with every text in the memory per test text",
        paper="Cover and Hart 1967, doi 10.1109/TIT.1967.1053964",
        bibtex=("cover1967knn",),
        family="prototypes",
        tunings=("frozen",),
        gradient_free=True,
        memory={"buffer.": "buffer"},
        search={"metric": ("cosine", "euclidean")},
        named_by_value=("fill",),
    )

    def __init__(
        self,
        context: RunContext,
        k: Count = 5,
        metric: Literal["cosine", "euclidean"] = "cosine",
        capacity: Capacity | None = None,
        fill: Fill = "reservoir",
    ) -> None:
        super().__init__(context, FrozenFeatures(context))
        self.k, self.metric = k, metric
        size = context.texts if capacity is None else capacity
        self.buffer = ReplayBuffer(size, *self.network.row_shape, context.columns, context.experiences, fill)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds the training texts of the experience to the memory."""
        for batch in reader.batches(READ_AT_ONCE):
            self.buffer.add(batch.to(self.device), self.generator)

    def forward(self, batch: Batch) -> Tensor:
        """Votes (B, C)."""
        return torch.cat([self.votes(part.rows, part.class_mask) for part in batch.split(ASKED_AT_ONCE)])

    def votes(self, features: Tensor, class_mask: Tensor) -> Tensor:
        """The votes of the nearest texts whose class is within the mask: (B, C)."""
        memory, classes = (each[: len(self.buffer)] for each in (self.buffer.rows, self.buffer.targets))
        known, asked = memory[:, 0].double(), features.double()
        if self.metric == "cosine":
            near = F.normalize(asked) @ F.normalize(known).T
        else:
            near = 2 * asked @ known.T - known.square().sum(1)  # |asked|^2 - the squared distance
        near = near.float().masked_fill(~class_mask[:, classes], -torch.inf)
        k = min(self.k, len(known))
        values, places = near.topk(k, 1)
        weights = 1 + torch.arange(k - 1, -1, -1, device=near.device) / k**2
        weights = weights.expand_as(values).masked_fill(values.isinf(), 0)
        # A sum in a fixed order: adding up in place has none on a GPU.
        return (F.one_hot(classes[places], self.context.columns) * weights.unsqueeze(2)).sum(1)
