"""Learning without forgetting (LwF; Li and Hoiem 2016, arXiv 1606.09282).

On texts of the new experience, the outputs for earlier classes are distilled from the model at the last
boundary. Loss: cross-entropy + strength * T^2 * KL(softmax(z_old / T) || softmax(z / T)), with z_old the
logits of that model. Where the experience is known at test time, there is one such term per earlier
experience, over its columns; otherwise there is one term, over all columns seen so far.

Carried: a copy of all trainable weights, and which columns were seen. A step costs one more forward pass.
Deviation: the usual KL divergence, times T^2 (Hinton et al. 2015), for the paper's modified cross-entropy:
the same for their p^(1/T), up to a constant and that factor. It keeps the paper's T = 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from clbench.core.batch import Batch
from clbench.core.ranges import Positive, Weight
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import WeightStore
from clbench.models.context import RunContext


class LwF(ContinualLearner):
    """Learning without forgetting.

    Args:
        context: What the run provides.
        strength: Lambda, the weight of the distillation; 0 is naive fine-tuning, bit for bit.
        temperature: T.
    """

    info = MethodInfo(
        summary="distillation from the model of the last boundary",
        cost="one more forward pass per step",
        paper="Li and Hoiem 2016, arXiv 1606.09282",
        bibtex=("li2016lwf", "hinton2015distilling"),
        family="penalties",
        memory={"teacher.": "weights", "seen": "statistics"},
        search={"strength": (1e-2, 1e2)},
        deviations=(
            "no warm-up of the new columns before all weights train",
            "distillation is the KL divergence times T^2: the paper's lambda of 1 is a strength of 1 / T^2",
        ),
    )

    seen: Tensor

    def __init__(self, context: RunContext, strength: Weight = 1.0, temperature: Positive = 2.0) -> None:
        super().__init__(context)
        self.strength = strength
        self.temperature = temperature
        self.weights = {
            name: weight for name, weight in self.network.named_parameters() if weight.requires_grad
        }
        self.teacher = WeightStore(self.weights)
        self.register_buffer("seen", torch.zeros(context.experiences, context.columns, dtype=torch.bool))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and distillation in the columns of earlier experiences."""
        logits: Tensor = self(batch)
        loss = F.cross_entropy(logits.masked_fill(~batch.class_mask, -torch.inf), batch.targets)
        groups = self.groups()
        if not self.strength or not groups:
            return loss
        old = self.teach(batch)
        return loss + self.strength * torch.stack([self.distil(logits, old, group) for group in groups]).sum()

    def groups(self) -> list[Tensor]:
        """The sets of columns (C,) that are distilled, each by itself."""
        groups = [*self.seen] if self.context.task_aware else [self.seen.any(0)]
        return [group for group in groups if group.any()]

    def distil(self, logits: Tensor, old: Tensor, columns: Tensor) -> Tensor:
        """T^2 * KL(softmax(old / T) || softmax(logits / T)) over ``columns``; mean over texts."""
        new, old = (each[:, columns].div(self.temperature).log_softmax(1) for each in (logits, old))
        return self.temperature**2 * F.kl_div(new, old, reduction="batchmean", log_target=True)

    @torch.no_grad()
    def teach(self, batch: Batch) -> Tensor:
        """Logits (B, C) of the model at the last boundary, without dropout."""
        was_training = self.network.training
        self.network.eval()
        logits: Tensor = functional_call(
            self.network, {name: self.teacher[name] for name in self.weights}, batch
        )
        self.network.train(was_training)
        return logits

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Copies the model, and notes the columns of the experience."""
        self.teacher.copy(self.weights)
        self.seen[experience.index, list(experience.columns)] = True
