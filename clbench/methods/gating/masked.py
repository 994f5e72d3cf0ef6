"""Training with masked updates, whatever the optimizer."""

from __future__ import annotations

from typing import Any, Literal

import torch

from clbench.core.batch import Batch
from clbench.methods.gating.adapters import MaskedAdapterClassifier
from clbench.methods.gating.learner import Chosen, GatedLearner
from clbench.methods.gating.protection import MaskedUpdate, scale_gradients
from clbench.models.context import RunContext

Update = Literal["masked", "reference"]
"""What is protected: updates, or, as in the authors' code, gradients before Adam rescales them."""
LARGEST_NORM = 1.0
"""Gradients of each parameter are clipped to this, as in the authors' code."""


class MaskedLearner(GatedLearner):
    """AdamW on masked adapters.

    With ``masked``, what a step changes is multiplied by the free shares: a weight that is fully in use does
    not move at all. With ``reference``, gradients are, as in PyContinual: Adam then rescales what is left of
    them, its moments and weight decay move weights that are in use, and layer norms are not protected.

    Args:
        context: What the run provides.
        network: A network with masked adapters.
        sparsity: The weight of the regularizer.
        gates: Whose gates a text has in evaluation if its experience is not known.
        update: What is protected.
    """

    network: MaskedAdapterClassifier

    def __init__(
        self,
        context: RunContext,
        network: MaskedAdapterClassifier,
        sparsity: float,
        gates: Chosen,
        update: Update,
    ) -> None:
        super().__init__(context, network, sparsity, gates)
        self.update = update
        self._masked: MaskedUpdate | None = None  # of the step that is being made

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Notes the weights, or scales gradients down, and clips gradients."""
        self.network.gates.compensate()
        if self.update == "reference":
            scale_gradients(self.network.factors(self.current))
        for _, weight in self.named_trainable():
            torch.nn.utils.clip_grad_norm_([weight], LARGEST_NORM)
        if self.update == "masked":
            self._masked = MaskedUpdate(self.network.all_factors(self.current))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Takes back what protected weights may not do."""
        if self._masked is not None:
            self._masked.apply()
            self._masked = None
        super().on_train_batch_end(outputs, batch, batch_idx)
