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

import dataclasses

from clbench.methods.capsules.transfer import TransferAdapter
from clbench.methods.gating.masked import MaskedLearner


class CTR(MaskedLearner):
    """CTR: capsules and transfer routing in adapters."""

    info = dataclasses.replace(
        MaskedLearner.info,
        summary="capsules with transfer routing in gated adapters",
        cost="routing over all experiences per step",
        paper="Ke et al. 2021, arXiv 2112.02706",
        bibtex=("ke2021ctr", "sabour2017capsules"),
        deviations=(
            "a constant learning rate, which the authors warm up and decay",
            "in evaluation the larger logit decides what to take, where the authors' code draws",
            "similarities stay with their text, and padding is no token",
        ),
    )
    adapter = TransferAdapter
