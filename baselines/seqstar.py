"""Sequential fine-tuning made right (SEQ*; Zheng et al. 2024, arXiv 2312.07887).

Naive fine-tuning, with three changes: the encoder trains on the first experience alone and is frozen then;
output weights of classes of earlier experiences are fixed; the softmax runs over all classes from the start.
With ``cosine`` (their choice where no old text is kept) logits are scale * cos(w_c, f), else w_c f + b_c.

Carried: the trainable weights, and which classes were seen. A step costs at most that of naive fine-tuning.
Deviations: the encoder trains for all epochs of the first experience, not for three; no weight decay on the
output layer; a class that comes again trains again; the scale, 1 in the code; w_c has norm 1 when an
experience begins: it grows while c is a negative, and then few steps would not turn it.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.ranges import Positive
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext


class SEQStar(ContinualLearner):
    """Fine-tuning that freezes the encoder after the first experience, and old output weights.

    Args:
        context: What the run provides.
        classifier: The output layer: of cosines, or linear.
        scale: What cosines are multiplied by.
    """

    info = MethodInfo(
        name="SEQ*", paper="Zheng et al. 2024, arXiv 2312.07887", bibtex=("zheng2024seqstar",),
        summary="fine-tuning; the encoder is frozen after the first experience, output weights after theirs",
        cost="as naive fine-tuning", family="naive", memory={"seen": "statistics"},
        deviations=("the encoder trains for all epochs of the first experience, not for three",
                    "output weights have norm 1 when an experience begins"), named_by_value=("classifier",),
    )  # fmt: skip

    network: TextClassifier
    seen: Tensor  # (C,) bool: classes so far
    fixed: Tensor  # (C,) bool: classes of earlier experiences alone
    first: Tensor  # () bool: whether this is the first experience

    def __init__(
        self, context: RunContext, classifier: Literal["cosine", "linear"] = "cosine", scale: Positive = 10.0
    ) -> None:
        super().__init__(context)
        self.scale = scale if classifier == "cosine" else None
        self.network.head.bias.requires_grad_(self.scale is None)
        self.register_buffer("seen", torch.zeros(context.columns, dtype=torch.bool))
        self.register_buffer("fixed", torch.zeros(context.columns, dtype=torch.bool), persistent=False)
        self.register_buffer("first", torch.tensor(True), persistent=False)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Decides what trains."""
        self.first.fill_(experience.index == 0)
        self.fixed.copy_(self.seen)
        self.fixed[list(experience.columns)] = False
        self.seen[list(experience.columns)] = True
        if self.scale is not None:  # which changes no logit
            weight = self.network.head.weight.data
            weight[~self.fixed] = F.normalize(weight[~self.fixed])

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and bool(self.first)):
            features = self.network.features(batch)
        if self.scale is None:
            return F.linear(features, self.network.head.weight, self.network.head.bias)
        return self.scale * F.normalize(features) @ F.normalize(self.network.head.weight).T

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW of the output layer, and in the first experience of the encoder."""
        head = [each for each in self.network.head.parameters() if each.requires_grad]
        rest = [each for name, each in self.named_trainable() if not name.startswith("network.head.")]
        groups = [{"params": head, "weight_decay": 0.0}]
        if self.first and rest:
            groups += [{"params": rest, "weight_decay": self.context.weight_decay}]
        return torch.optim.AdamW(groups, lr=self.lr, fused=True)

    def on_train_epoch_start(self) -> None:
        """What is frozen has no dropout."""
        for frozen in (self.network.encoder, self.network.body):  # a text CNN takes the place of an encoder
            if frozen is not None and not self.first:
                frozen.eval()

    def on_after_backward(self) -> None:
        """Takes the gradient off fixed weights; a new optimizer then leaves them as they are."""
        for each in self.network.head.parameters():
            if each.grad is not None:
                each.grad[self.fixed] = 0
