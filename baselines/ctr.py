"""CTR: capsules and transfer routing in adapters (Ke et al. 2021, arXiv 2112.02706).

Semantic capsules as in ``bcl``. Per token, W_j makes them u_j, 9 numbers of experience j. Convolutions of u_t
and a maximum over time give c of the current experience t; for each experience j so far,
z_j = max over time of ReLU(conv(u_j) + W c). Then sim_j = Linear(z_j), 9 numbers, and delta_j, 0 or 1, a hard
Gumbel-softmax sample of Linear(z_j), say how much and whether to take:
v = sum_{j <= t} sim_j delta_j u_j. A shared layer 9 -> D adds v to what the masked adapter reads.

Gates, loss and masked updates are those of ``adapterhat``. Capsules, convolutions and decisions are shared by
all experiences and not protected; capsules of experiences to come do not train.

Carried: adapters, layer norms, capsules, and N embeddings per gated unit. Deviations: in evaluation the
larger of the two logits decides, where the authors' code draws; similarities stay with their text, where it
reshapes them across the batch; padding is no token.
"""

from __future__ import annotations

from clbench.core.ranges import Positive, Weight
from clbench.methods.capsules.transfer import TransferAdapter
from clbench.methods.gating.adapters import MaskedAdapterClassifier
from clbench.methods.gating.learner import Chosen
from clbench.methods.gating.masked import MaskedLearner, Update
from clbench.methods.info import MethodInfo
from clbench.models.context import RunContext


class CTR(MaskedLearner):
    """CTR: capsules and transfer routing in adapters.

    Args:
        context: What the run provides.
        sparsity: The weight of the regularizer.
        largest: S_max: how hard the gates are in evaluation.
        gates: Whose gates a text has at test time if its experience is not known.
        update: Whether updates are masked, or gradients as in the authors' code.
    """

    info = MethodInfo(
        summary="capsules with transfer routing in gated adapters",
        cost="routing over all experiences per step",
        paper="Ke et al. 2021, arXiv 2112.02706",
        bibtex=("ke2021ctr", "sabour2017capsules"),
        family="projections and masks",
        tunings=("adapter",),
        default_lr={"adapter": 1e-3},
        adapter_size=2000,
        memory={"network.gates.used": "statistics"},
        search={"sparsity": (1e-2, 1e1)},
        named_by_value=("gates", "update"),
        deviations=(
            "a constant learning rate, which the authors warm up and decay",
            "in evaluation the larger logit decides what to take, where the authors' code draws",
            "similarities stay with their text, and padding is no token",
        ),
    )

    def __init__(
        self,
        context: RunContext,
        sparsity: Weight = 0.75,
        largest: Positive = 400.0,
        gates: Chosen = "last_id",
        update: Update = "masked",
    ) -> None:
        network = MaskedAdapterClassifier(context, largest, TransferAdapter)
        super().__init__(context, network, sparsity, gates, update)
