"""Hard attention to the task (HAT; Serra et al. 2018, arXiv 1801.01423).

Each experience learns a gate per hidden unit, a = sigmoid(s e), with s annealed over an epoch so that gates
end up open or shut (their eqs. 1 and 3). A weight between units that earlier experiences use hardly moves:
its gradient is multiplied by 1 - min(used_i, used_j) (eq. 2). The loss is cross-entropy + sparsity * the mean
gate of units that are still free (eq. 5). The gates of a text are those of its experience. Where that is not
known at test time, they are those of the last experience (``last_id``) or of least entropy (``ent_id``), as
in PyContinual.

It carries its weights, and T embeddings per hidden unit. A step costs what a naive one does; an evaluation
with ``ent_id`` T passes. With a frozen encoder the hidden units are two layers between features and outputs,
with adapters those of the bottlenecks (as the Adapter-HAT of Ke et al. 2021, arXiv 2112.03271); an encoder
that trains in full or through LoRA has none that could be gated. Training is plain SGD, as in the paper:
scaled-down gradients stay small. The paper's rate of 0.05 is for up to 200 epochs; within 10 epochs, gates
hardly move at that rate.
"""

from __future__ import annotations

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from clbench.core.ranges import Positive, Size, Weight
from clbench.methods.experience_choice import Chosen
from clbench.methods.gating.learner import GatedLearner
from clbench.methods.gating.network import GatedClassifier
from clbench.methods.info import MethodInfo
from clbench.models.context import RunContext

LARGEST_NORM = 10_000.0
"""Gradients are clipped to this, as in the authors' code."""


class HAT(GatedLearner):
    """Hard attention to the task.

    Args:
        context: What the run provides.
        sparsity: C, the weight of the regularizer.
        largest: S_max: how hard the gates are in evaluation.
        width: Units of each hidden layer, with a frozen encoder.
        gates: Whose gates a text has at test time if its experience is not known: the last one's or those of
            least entropy.
    """

    info = MethodInfo(
        summary="learned gates per experience protect hidden units",
        cost="as naive fine-tuning",
        paper="Serra et al. 2018, arXiv 1801.01423",
        bibtex=("serra2018hat", "ke2021bcl"),
        family="projections and masks",
        tunings=("frozen", "adapter"),
        default_lr={"frozen": 1.0, "cnn": 0.2, "adapter": 0.2},
        memory={"network.gates.used": "statistics"},
        search={"sparsity": (1e-2, 1e1)},
        named_by_value=("gates",),
        deviations=(
            "no dropout",
            "a constant learning rate and number of epochs, where the paper decays the rate with patience",
        ),
    )

    def __init__(
        self,
        context: RunContext,
        sparsity: Weight = 0.75,
        largest: Positive = 400.0,
        width: Size = 512,
        gates: Chosen = "last_id",
    ) -> None:
        super().__init__(context, GatedClassifier(context, width, largest), sparsity, gates)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Plain SGD, without weight decay."""
        return torch.optim.SGD([weight for _, weight in self.named_trainable()], lr=self.lr)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Protects what earlier experiences use; with plain SGD, a masked gradient is a masked update."""
        super().on_before_optimizer_step(optimizer)
        torch.nn.utils.clip_grad_norm_([weight for _, weight in self.named_trainable()], LARGEST_NORM)
