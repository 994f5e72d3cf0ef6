"""B-CL: adapters with capsules and hard attention (Ke et al. 2021, arXiv 2112.03271).

Before each masked adapter (see ``adapterhat``), a capsule network shares knowledge between experiences. A
linear layer D -> 3 per experience gives 3 numbers per token; all 3T of an experience, squashed along the axis
of experiences, are its semantic capsule x_i. With priors p_ci = x_i W_ci and b = 0, three times:
a = softmax_i(b), later experiences at -1e4; v_c = sum_i a_ci p_ci; b_ci <- b_ci + <p_ci, squash(v_c)>. The
v_c, 3 numbers per token, go through a gated layer 3 -> D and are added to what the adapter reads.

Gates, loss and masked updates are those of ``adapterhat``. The capsules are shared and not protected, so that
an experience can gain from later ones; those of experiences to come do not train.

Carried: adapters, layer norms, 9 N T^2 routing weights per adapter, and N embeddings per gated unit.
Deviations: the outputs of the routing are in order by text and token, where the authors' code reshapes them
across the texts of a batch; padding is no token.
"""

from __future__ import annotations

import dataclasses

from clbench.methods.capsules.routing import RoutedAdapter
from clbench.methods.gating.masked import MaskedLearner


class BCL(MaskedLearner):
    """B-CL: capsules and hard attention in adapters."""

    info = dataclasses.replace(
        MaskedLearner.info,
        name="B-CL",
        summary="capsules with routing by agreement in gated adapters",
        cost="routing over all experiences per step",
        paper="Ke et al. 2021, arXiv 2112.03271",
        bibtex=("ke2021bcl", "sabour2017capsules"),
        default_lr={"adapter": 3e-4},
        deviations=(
            "a constant learning rate, which the authors warm up and decay",
            "routed capsules stay with their text and token, and padding is no token",
        ),
    )
    adapter = RoutedAdapter
