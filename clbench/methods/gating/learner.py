"""What all methods with hard attention to the task do at each step, at boundaries and in evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.scenario import Experience
from clbench.methods.experience_choice import Chosen, logits_by_choice
from clbench.methods.gating.gates import MOST
from clbench.methods.gating.network import GatedNetwork
from clbench.methods.gating.protection import scale_gradients
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext


class GatedLearner(ContinualLearner):
    """Cross-entropy and the regularizer of HAT; weights that earlier experiences use are protected.

    Where the experience of a text is known at test time, its gates are those of that experience. Elsewhere
    they are those of the last experience (``last_id``), or of the one, among those seen so far, under which
    the entropy of the text's class probabilities is least (``ent_id``: one forward pass per experience).

    Args:
        context: What the run provides.
        network: A network with gates.
        sparsity: The weight of the regularizer.
        gates: Whose gates a text has in evaluation if its experience is not known.
    """

    network: GatedNetwork

    def __init__(self, context: RunContext, network: GatedNetwork, sparsity: float, gates: Chosen) -> None:
        super().__init__(context, network)
        self.sparsity, self.chosen = sparsity, gates
        self.current = torch.zeros(0, dtype=torch.int64)  # the experiences of the step's texts

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        if self.training or self.context.task_aware:
            logits: Tensor = self.network(batch)
            return logits
        return logits_by_choice(self.network, self.network.gates, batch, self.chosen)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy and the regularizer."""
        return super().loss(batch) + self.sparsity * self.network.gates.usage(batch.experience)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Sets s for this step."""
        self.current = batch.experience
        self.network.gates.anneal(batch_idx, self.steps_per_epoch)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Protects what earlier experiences use, and undoes what s does to the gradient of embeddings."""
        scale_gradients(self.network.factors(self.current))
        self.network.gates.compensate()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keeps embeddings in range."""
        self.network.gates.embeddings.data.clamp_(-MOST, MOST)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Notes whose gates train."""
        self.network.gates.begin(experience.index)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Records which units the experience uses."""
        self.network.gates.remember(experience.index)
