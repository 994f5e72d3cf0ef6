"""Training with masked updates, whatever the optimizer."""

from __future__ import annotations

from typing import Any, Literal

import torch

from clbench.core.batch import Batch
from clbench.core.ranges import Positive, Weight
from clbench.methods.experience_choice import Chosen
from clbench.methods.gating.adapters import MaskedAdapter, MaskedAdapterClassifier
from clbench.methods.gating.learner import GatedLearner
from clbench.methods.gating.protection import MaskedUpdate, scale_gradients
from clbench.methods.info import MethodInfo
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

    A method declares its ``info`` by ``dataclasses.replace(MaskedLearner.info, ...)``.

    Args:
        context: What the run provides.
        sparsity: The weight of the regularizer.
        largest: S_max: how hard the gates are in evaluation.
        gates: Whose gates a text has at test time if its experience is not known.
        update: Whether updates are masked, or gradients as in the authors' code.

    Attributes:
        adapter: The kind of adapter.
    """

    info = MethodInfo(
        family="projections and masks",
        tunings=("adapter",),
        default_lr={"adapter": 1e-3},
        adapter_size=2000,
        memory={"network.gates.used": "statistics"},
        search={"sparsity": (1e-2, 1e1)},
        named_by_value=("gates", "update"),
        deviations=("a constant learning rate, which the authors warm up and decay",),
    )
    adapter: type[MaskedAdapter] = MaskedAdapter
    network: MaskedAdapterClassifier

    def __init__(
        self,
        context: RunContext,
        sparsity: Weight = 0.75,
        largest: Positive = 400.0,
        gates: Chosen = "last_id",
        update: Update = "masked",
    ) -> None:
        super().__init__(context, MaskedAdapterClassifier(context, largest, self.adapter), sparsity, gates)
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
