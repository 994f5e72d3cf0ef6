"""Experience replay (ER; Chaudhry et al. 2019, arXiv 1902.10486; Rolnick et al. 2019, arXiv 1811.11682).

Each step trains on the current batch and an equally large batch from the replay buffer: the loss is the mean
cross-entropy over both. The current batch is then added to the buffer: a uniform sample of all texts, or one
balanced over the classes or experiences seen so far. Replayed texts keep the class mask of their own
experience.

Carried: the buffer, of token ids or of mean features of a frozen encoder. A step costs twice as much as in
naive fine-tuning.
"""

from __future__ import annotations

from torch import Tensor

from clbench.core.batch import Batch, concatenate
from clbench.core.ranges import Capacity
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext


class Replay(ContinualLearner):
    """Experience replay.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
        fill: What the buffer is balanced over: nothing (reservoir), classes, or experiences.
    """

    info = MethodInfo(
        summary="experience replay",
        cost="two batches per step",
        paper="Chaudhry et al. 2019, arXiv 1902.10486",
        bibtex=("chaudhry2019tiny", "rolnick2019replay"),
        family="rehearsal",
        tasks=("classification", "language-model"),
        memory={"buffer.": "buffer"},
        named_by_value=("fill",),
    )

    def __init__(self, context: RunContext, capacity: Capacity = 128, fill: Fill = "reservoir") -> None:
        super().__init__(context)
        self.buffer = ReplayBuffer(
            capacity, *self.network.row_shape, context.columns, context.experiences, fill
        )

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy on the current texts and as many replayed ones."""
        places = self.buffer.draw(len(batch), self.generator)
        return super().loss(concatenate(batch, self.buffer.batch(places)) if len(places) else batch)

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        """Shows the texts that were trained on to the buffer."""
        self.buffer.add(batch, self.generator)
