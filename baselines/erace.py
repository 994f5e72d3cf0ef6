"""Experience replay with asymmetric cross-entropy (ER-ACE; Caccia et al. 2022, arXiv 2104.05025).

Loss: cross-entropy of the batch over the classes in the batch alone + cross-entropy of as many replayed texts
over all classes seen so far (their section 4.2). New classes thus do not push down the logits of old ones;
they are told from each other in replayed texts. Both parts also keep to the class mask of the text.

Carried: the buffer, of token ids or of mean features of a frozen encoder. A step costs twice as much as in
naive fine-tuning. Where an experience has one class its own texts teach nothing, and the buffer everything.
Deviation: the authors' code also lets classes that were never seen compete with those of the batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Capacity
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext


class ERACE(ContinualLearner):
    """Experience replay with asymmetric cross-entropy.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
        fill: What the buffer is balanced over: nothing (reservoir), classes, or experiences.
    """

    info = MethodInfo(
        name="ER-ACE",
        summary="experience replay; new texts compete only among their own classes",
        cost="two batches per step",
        paper="Caccia et al. 2022, arXiv 2104.05025",
        bibtex=("caccia2022erace",),
        family="rehearsal",
        memory={"buffer.": "buffer", "seen": "statistics"},
        named_by_value=("fill",),
        deviations=("classes that were never seen do not compete with those of a batch",),
    )

    seen: Tensor  # (C,) bool

    def __init__(self, context: RunContext, capacity: Capacity = 128, fill: Fill = "reservoir") -> None:
        super().__init__(context)
        self.buffer = ReplayBuffer(
            capacity, *self.network.row_shape, context.columns, context.experiences, fill
        )
        self.register_buffer("seen", torch.zeros(context.columns, dtype=torch.bool))

    def loss(self, batch: Batch) -> Tensor:
        """The sum of both cross-entropies."""
        present = torch.zeros_like(self.seen).index_fill_(0, batch.targets, True)
        loss = self.among(batch, present)
        places = self.buffer.draw(len(batch), self.generator)
        return loss + self.among(self.buffer.batch(places), self.seen | present) if len(places) else loss

    def among(self, batch: Batch, columns: Tensor) -> Tensor:
        """Cross-entropy over some columns, (C,)."""
        return F.cross_entropy(self.scores(batch).masked_fill(~columns, -torch.inf), batch.targets)

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        """Shows the texts that were trained on to the buffer."""
        self.seen[batch.targets] = True
        self.buffer.add(batch, self.generator)
