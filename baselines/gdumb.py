"""Greedy sampler and dumb learner (GDumb; Prabhu et al. 2020, doi 10.1007/978-3-030-58536-5_31).

A buffer keeps equally many texts of each class seen. For a prediction, a fresh model is trained on the buffer
alone: the loss is cross-entropy on texts of the buffer, and training starts from the first weights again for
every experience. The order of the stream matters only to which texts the buffer holds.

Carried: the buffer, of token ids or of mean features of a frozen encoder; the model is made anew. A step is
that of naive fine-tuning. Deviations: the buffer is class-balancing reservoir sampling (Chrysakis and Moens
2020), where the paper keeps the first texts of a class and removes random ones of the largest; an experience
trains for as many steps as with other methods, where the paper takes 256 passes, cosine schedules and CutMix.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Capacity
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import WeightStore
from clbench.methods.prototypes import READ_AT_ONCE
from clbench.methods.replay_buffer import ReplayBuffer
from clbench.models.context import RunContext


class GDumb(ContinualLearner):
    """Training from scratch on a balanced buffer.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
    """

    info = MethodInfo(
        summary="training from scratch on a buffer balanced over classes",
        cost="as naive fine-tuning",
        paper="Prabhu et al. 2020, doi 10.1007/978-3-030-58536-5_31",
        bibtex=("prabhu2020gdumb",),
        family="rehearsal",
        memory={"buffer.": "buffer"},
        deviations=(
            "the buffer is a uniform sample of each class, where the paper keeps the first texts",
            "as many steps as other methods, where the paper takes 256 passes, cosine schedules and CutMix",
        ),
    )

    def __init__(self, context: RunContext, capacity: Capacity = 128) -> None:
        super().__init__(context)
        shape = self.network.row_shape
        self.buffer = ReplayBuffer(capacity, *shape, context.columns, context.experiences, "per-class")
        self.start = WeightStore(dict(self.named_trainable()), persistent=False)

    @torch.no_grad()
    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds the texts of the experience to the buffer, and starts from the first weights again."""
        for batch in reader.batches(READ_AT_ONCE):
            self.buffer.add(batch.to(self.device), self.generator)
        for name, weight in self.named_trainable():
            weight.copy_(self.start[name])

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy on as many texts of the buffer as the batch has; the batch itself is not used."""
        return super().loss(self.buffer.batch(self.buffer.draw(len(batch), self.generator)))
