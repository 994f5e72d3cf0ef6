"""Averaged gradient episodic memory (A-GEM; Chaudhry et al. 2019, arXiv 1812.00420).

A step may not raise, to first order, the loss on a batch from the replay buffer: with g the gradient of the
current batch and r that of the replayed one, g becomes g - (g . r / r . r) r where g . r < 0 (their eq. 11).
The texts of an experience are added to the buffer after training on it; the buffer is one reservoir over all
texts or one per class. Replayed texts keep the class mask of their own experience.

Carried: the buffer, of token ids or of mean features of a frozen encoder. A step costs twice as much as in
naive fine-tuning.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

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
        fill: One reservoir over all texts, or one per class.
    """

    info = MethodInfo(
        paper="Chaudhry et al. 2019, arXiv 1812.00420",
        bibtex=("chaudhry2019agem",),
        family="rehearsal",
        memory={"buffer.": "buffer"},
        deviations=("AdamW steps do not follow the projected gradient, where the paper trains with SGD",),
    )

    def __init__(
        self, context: RunContext, capacity: int = 128, reference: int = 64, fill: Fill = "reservoir"
    ) -> None:
        super().__init__(context)
        memory = (
            f"the memory is filled by {fill}, where the paper keeps equally many texts of each experience"
        )
        self.info = dataclasses.replace(self.info, deviations=(*self.info.deviations, memory))
        self.reference = reference
        self.buffer = ReplayBuffer(capacity, *self.network.row_shape, context.columns, fill)

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
