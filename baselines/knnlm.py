"""Nearest-neighbor language model (kNN-LM; Khandelwal et al. 2020, arXiv 1911.00172).

p = (1 - w) p_LM + w p_kNN (their eq. 3), p_kNN(v) prop. to the sum of exp(-d^2 / t) over the neighbors of the
state that the token v followed (eq. 2). Weight and temperature are chosen on held-out training texts.

Carried: a state in half precision and a token per entry. Cost: one search per token at evaluation.
"""

from __future__ import annotations

import dataclasses

from clbench.core.ranges import Capacity, Size
from clbench.methods.language.datastore import Datastore
from clbench.methods.language.memory import MemoryLearner
from clbench.models.context import RunContext


class KNNLM(MemoryLearner):
    """kNN-LM.

    Args:
        context: What the run provides.
        capacity: Tokens in the store; of more, a uniform sample is kept.
        neighbors: k.
    """

    info = dataclasses.replace(
        MemoryLearner.info,
        name="kNN-LM",
        summary="next tokens of the nearest stored states, mixed with a language model",
        cost="one pass, one search per token at evaluation",
        paper="Khandelwal et al. 2020, arXiv 1911.00172",
        bibtex=("khandelwal2020knnlm",),
        family="rehearsal",
        memory={
            "network.keys": "keys",
            "network.tokens": "values",
            "network.seen": "statistics",
            "network.scores": "statistics",
        },
        search={"neighbors": (16, 1024)},
        deviations=(
            "keys are states after the last layer, not the input of its feed-forward part",
            "the temperature is in units of the mean squared distance of the neighbors",
        ),
    )

    def __init__(self, context: RunContext, capacity: Capacity = 65536, neighbors: Size = 256) -> None:
        super().__init__(context, Datastore(context, capacity, neighbors))
