"""Dark experience replay (DER and DER++; Buzzega et al. 2020, arXiv 2004.07211).

The memory keeps, with each text, the logits h that the model gave it when it was trained on. DER's loss is
cross-entropy on the current batch + alpha * mean (h - f(x))^2 on a batch of the memory. DER++ adds
beta * cross-entropy on the labels of another batch of it (their section 3). The memory is a reservoir over
all texts that were trained on, or one per class. Remembered texts keep the columns of their own experience:
squares are averaged over these.

It carries the memory: token ids, or mean features of a frozen encoder, and C logits per text. A step costs
two (DER) or three (DER++) times a naive one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch
from clbench.methods.learner import ContinualLearner, MemoryKind, SearchRange
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext


class DER(ContinualLearner):
    """Dark experience replay.

    Args:
        context: What the run provides.
        capacity: Texts in the memory.
        alpha: The weight of the distance to remembered logits.
        fill: One reservoir over all texts, or one per class.
    """

    memory: ClassVar[Mapping[str, MemoryKind]] = {"buffer.": "buffer"}
    search: ClassVar[Mapping[str, SearchRange]] = {"alpha": (1e-2, 1e1)}

    def __init__(
        self, context: RunContext, capacity: int = 128, alpha: float = 0.5, fill: Fill = "reservoir"
    ) -> None:
        super().__init__(context)
        self.alpha = alpha
        self.buffer = ReplayBuffer(capacity, *self.network.row_shape, context.columns, fill, logits=True)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and what the memory adds; in training, remembers the current texts."""
        logits: Tensor = self(batch)
        loss = F.cross_entropy(logits.masked_fill(~batch.class_mask, -float("inf")), batch.targets)
        if self.training:
            if len(self.buffer):
                loss = self.rehearse(loss, len(batch))
            self.buffer.add(batch, self.generator, logits)
        return loss

    def rehearse(self, loss: Tensor, size: int) -> Tensor:
        """``loss`` and alpha times the mean square of changes of remembered logits."""
        if not self.alpha:
            return loss
        places = self.buffer.draw(size, self.generator)
        memory = self.buffer.batch(places)
        change: Tensor = self(memory) - self.buffer.logits[places]
        return loss + self.alpha * change[memory.class_mask].square().mean()


class DERPP(DER):
    """Dark experience replay ++.

    Args:
        context: What the run provides.
        capacity: Texts in the memory.
        alpha: The weight of the distance to remembered logits.
        beta: The weight of the cross-entropy on remembered labels; with alpha 0 too it is naive fine-tuning.
        fill: One reservoir over all texts, or one per class.
    """

    search: ClassVar[Mapping[str, SearchRange]] = {"alpha": (1e-2, 1e1), "beta": (1e-2, 1e1)}

    def __init__(
        self,
        context: RunContext,
        capacity: int = 128,
        alpha: float = 0.5,
        beta: float = 0.5,
        fill: Fill = "reservoir",
    ) -> None:
        super().__init__(context, capacity, alpha, fill)
        self.beta = beta

    def rehearse(self, loss: Tensor, size: int) -> Tensor:
        """That of DER, and beta times the cross-entropy on other remembered texts."""
        loss = super().rehearse(loss, size)
        if not self.beta:
            return loss
        memory = self.buffer.batch(self.buffer.draw(size, self.generator))
        return loss + self.beta * F.cross_entropy(self.scores(memory), memory.targets)
