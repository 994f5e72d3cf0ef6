"""Averaged gradient episodic memory (A-GEM; Chaudhry et al. 2019, arXiv 1812.00420).

A step may not raise, to first order, the loss on a batch from the replay buffer: with g the gradient of the
current batch and r that of the replayed one, g becomes g - (g . r / r . r) r where g . r < 0 (their eq. 11).
The texts of an experience are added to the buffer after training on it; the experiences seen so far share the
buffer equally. Replayed texts keep the class mask of their own experience. Training is plain SGD, as in the
paper: a step that is scaled per weight, as in Adam, would not follow the projected gradient.

Carried: the buffer, of token ids or of mean features of a frozen encoder. A step costs twice as much as in
naive fine-tuning.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from clbench.core.ranges import Capacity, Count
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.replay_buffer import Fill, ReplayBuffer
from clbench.models.context import RunContext


class AGEM(ContinualLearner):
    """Averaged gradient episodic memory.

    Args:
        context: What the run provides.
        capacity: Texts in the buffer.
        reference: Replayed texts per step.
        fill: What the buffer is balanced over: experiences as in the paper, classes, or nothing (reservoir).
    """

    info = MethodInfo(
        name="A-GEM",
        summary="gradients that do not raise the loss on replayed texts",
        cost="a second gradient per step",
        paper="Chaudhry et al. 2019, arXiv 1812.00420",
        bibtex=("chaudhry2019agem",),
        family="rehearsal",
        default_lr={"full": 1e-2, "frozen": 0.03, "cnn": 0.1, "adapter": 1e-1, "lora": 1e-1, "prompt": 1.0},
        memory={"buffer.": "buffer"},
        named_by_value=("fill",),
        deviations=(
            "the whole buffer is in use from the start, where the paper reserves a share for each experience",
        ),
    )

    def __init__(
        self,
        context: RunContext,
        capacity: Capacity = 128,
        reference: Count = 64,
        fill: Fill = "per-experience",
    ) -> None:
        super().__init__(context)
        if fill != "per-experience":
            other = f"fill {fill}, where the paper keeps equally many texts of each experience"
            self.info = dataclasses.replace(self.info, deviations=(*self.info.deviations, other))
        self.reference = reference
        self.buffer = ReplayBuffer(
            capacity, *self.network.row_shape, context.columns, context.experiences, fill
        )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Plain SGD, without weight decay."""
        return torch.optim.SGD([weight for _, weight in self.named_trainable()], lr=self.lr)

    def on_after_backward(self) -> None:
        """Projects the gradient that was just computed."""
        if not len(self.buffer):
            return
        memory = self.buffer.batch(self.buffer.draw(self.reference, self.generator))
        weights = [weight for _, weight in self.named_trainable() if weight.grad is not None]
        loss = F.cross_entropy(self.scores(memory), memory.targets)
        references = torch.autograd.grad(loss, weights, materialize_grads=True)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for gradient, projected in zip(gradients, project(gradients, references), strict=True):
            gradient.copy_(projected)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds each training text of the experience to the buffer once."""
        for batch in reader.batches(self.context.batch_size):
            self.buffer.add(batch.to(self.device), self.generator)


def project(gradients: list[Tensor], references: tuple[Tensor, ...]) -> list[Tensor]:
    """``g - (g . r / r . r) r`` where g . r < 0, else g; products over all weights together (eq. 11)."""
    pairs = list(zip(gradients, references, strict=True))
    product = torch.stack([(g * r).sum() for g, r in pairs]).sum()
    if product >= 0:
        return gradients
    square = torch.stack([r.square().sum() for _, r in pairs]).sum()
    return [g - (product / square) * r for g, r in pairs]
