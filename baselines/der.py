"""Dark experience replay (DER and DER++; Buzzega et al. 2020, arXiv 2004.07211).

The buffer keeps with each text the logits h that the model gave it in training. DER's loss is cross-entropy
on the batch + alpha * mean (h - f(x))^2 on texts of the buffer, over the columns of their class masks;
DER++ adds beta * cross-entropy on the labels of other texts of the buffer (their section 3).

Carried: texts, as token ids or as mean features of a frozen encoder, with C logits each. A step costs two
(DER) or three (DER++) times as much as in naive fine-tuning.
"""

from __future__ import annotations

import dataclasses

import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Capacity, Weight
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext


class DER(ContinualLearner):
    """Dark experience replay.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
        alpha: Weight of the squared distance to the remembered logits; the paper has 0.1 to 1, by dataset.
        fill: What the buffer is balanced over: nothing (reservoir), classes, or experiences.
    """

    info = MethodInfo(
        summary="experience replay that holds on to the logits of training",
        cost="two batches per step",
        paper="Buzzega et al. 2020, arXiv 2004.07211",
        bibtex=("buzzega2020der",),
        family="rehearsal",
        memory={"buffer.": "buffer"},
        search={"alpha": (1e-2, 1e1)},
        named_by_value=("fill",),
    )

    def __init__(
        self, context: RunContext, capacity: Capacity = 128, alpha: Weight = 3.0, fill: Fill = "reservoir"
    ) -> None:
        super().__init__(context)
        self.alpha = alpha
        sizes = (context.columns, context.experiences)
        self.buffer = ReplayBuffer(capacity, *self.network.row_shape, *sizes, fill, logits=True)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the loss on the buffer."""
        logits: Tensor = self(batch)
        self.logits = logits.detach()  # (B, C), for the buffer once the step is done
        loss = F.cross_entropy(logits.masked_fill(~batch.class_mask, -float("inf")), batch.targets)
        return self.rehearse(loss, len(batch)) if len(self.buffer) else loss

    def rehearse(self, loss: Tensor, size: int) -> Tensor:
        """``loss`` + alpha times the mean squared change of the remembered logits of ``size`` texts."""
        if not self.alpha:
            return loss
        memory = self.buffer.batch(places := self.buffer.draw(size, self.generator))
        change: Tensor = self(memory) - self.buffer.logits[places]
        return loss + self.alpha * change[memory.class_mask].square().mean()

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        """Shows the texts that were trained on to the buffer, with the logits of that step."""
        self.buffer.add(batch, self.generator, self.logits)


class DERPP(DER):
    """Dark experience replay ++: DER and a term for the labels.

    Args:
        beta: Weight of the cross-entropy on remembered labels; alpha 0 and beta 0 are naive fine-tuning.
    """

    info = dataclasses.replace(
        DER.info, search={"alpha": (1e-2, 1e1), "beta": (1e-2, 1e1)}, cost="three batches per step",
        name="DER++", summary="experience replay that holds on to logits and labels",
    )  # fmt: skip

    def __init__(
        self, context: RunContext, capacity: Capacity = 128, alpha: Weight = 1.0, beta: Weight = 1.0,
        fill: Fill = "reservoir",
    ) -> None:  # fmt: skip
        super().__init__(context, capacity, alpha, fill)
        self.beta = beta

    def rehearse(self, loss: Tensor, size: int) -> Tensor:
        """The loss of DER + beta times the cross-entropy on ``size`` other texts of the buffer."""
        loss = super().rehearse(loss, size)
        if not self.beta:
            return loss
        memory = self.buffer.batch(self.buffer.draw(size, self.generator))
        return loss + self.beta * F.cross_entropy(self.scores(memory), memory.targets)
