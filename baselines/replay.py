"""Experience replay (ER): each step also trains on texts kept from the stream so far.

The loss is the mean over the current batch and an equally large batch from a reservoir of all texts seen
(Rolnick et al. 2019, arXiv 1811.11682; Chaudhry et al. 2019, arXiv 1902.10486). The buffer keeps what is
past the frozen prefix: token ids, or mean features of a frozen encoder. A step costs twice a naive one.
Replayed texts keep the columns of their own experience.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from clbench.batch import Batch, concatenate
from clbench.buffer import ReplayBuffer
from clbench.learner import ContinualLearner, MemoryKind, TextReader
from clbench.network import Context
from clbench.scenario import Experience


class Replay(ContinualLearner):
    """Experience replay.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
    """

    memory: ClassVar[Mapping[str, MemoryKind]] = {"buffer.": "buffer"}

    def __init__(self, context: Context, capacity: int = 128) -> None:
        super().__init__(context)
        self.buffer = ReplayBuffer(capacity, *self.network.row_shape, context.columns)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy on the current texts and as many replayed ones."""
        if self.training and len(self.buffer):
            batch = concatenate(batch, self.buffer.sample(len(batch), self.generator))
        return super().loss(batch)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Shows the experience's texts to the reservoir, each once, when it has been learned."""
        for batch in reader.batches(self.context.batch_size):
            self.buffer.add(batch.to(self.device), self.generator)
