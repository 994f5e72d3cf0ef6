"""Learning to prompt (L2P; Wang et al. 2022, arXiv 2112.08654), for text as in TRACE (arXiv 2310.06762).

A pool of M prompts p_i of L vectors, each with a key k_i. The query q of a text is the mean embedding of its
tokens, which no training changes. The N prompts whose keys have the largest cosine with q come before the
embeddings of the text, the nearest first. Loss: cross-entropy - strength * mean cos(q, k_i) over the chosen
keys. Prompts start at embeddings of random tokens, keys at the means of their prompts. The encoder is frozen.

In training, only the columns of the experience compete, as in the authors' code. Carried: the pool and its
keys. A step has N L more tokens per text. Deviation: states are pooled over the text, not over the prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch, masked_mean
from clbench.core.errors import UserError
from clbench.core.ranges import Size, Weight
from clbench.methods.info import MethodInfo
from clbench.methods.own_columns import OwnColumnsLearner
from clbench.models.classifier import TextClassifier, frozen
from clbench.models.context import RunContext
from clbench.models.encoder import token_states
from clbench.models.prompts import freeze_for_prompts, random_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PromptPool(TextClassifier):
    """A frozen encoder with prompts that each text chooses."""

    encoder: PreTrainedModel

    def __init__(self, context: RunContext, pool: int, top: int) -> None:
        super().__init__(context, frozen)
        self.top, length = top, context.prompt_length
        freeze_for_prompts(self.encoder, top * length, context.max_tokens)
        start = random_embeddings(self.encoder, pool * length, context.generator("prompts"))
        self.prompts = nn.Parameter(start.unflatten(0, (pool, length)))  # (M, L, E)
        self.keys = nn.Parameter(self.prompts.detach().mean(1))  # (M, E)

    def choose(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines with the N nearest keys, and which these are, both (B, N), for tokens (B, T, 2)."""
        with torch.no_grad():
            query = masked_mean(self.encoder.get_input_embeddings()(rows[..., 0].long()), mask)
        cosines = F.normalize(query, dim=1) @ F.normalize(self.keys, dim=1).T
        nearest, places = cosines.topk(self.top, 1)
        return nearest, places

    def states(self, encoder: PreTrainedModel, batch: Batch, rows: Tensor, mask: Tensor) -> Tensor:
        """Token states behind the chosen prompts."""
        _, places = self.choose(rows, mask)
        return token_states(encoder, rows, mask, self.prompts[places].flatten(1, 2))


class L2P(OwnColumnsLearner):
    """Learning to prompt.

    Args:
        context: What the run provides.
        pool: M, the prompts of the pool.
        top: N, the prompts of a text.
        strength: The weight of the cosines in the loss.
    """

    info = MethodInfo(
        summary="prompts that each text chooses from a pool by keys",
        cost="more tokens per text",
        paper="Wang et al. 2022, arXiv 2112.08654",
        bibtex=("wang2022l2p", "wang2023trace"),
        family="projections and masks",
        tunings=("prompt",),
        prompt_length=5,
        memory={"network.keys": "keys"},
        search={"strength": (1e-2, 1e1)},
        deviations=("states are pooled over the text, not over the prompts",),
    )

    network: PromptPool

    def __init__(self, context: RunContext, pool: Size = 10, top: Size = 3, strength: Weight = 0.5) -> None:
        if top > pool:
            raise UserError(f"L2P: a text cannot choose {top} of {pool} prompts")
        super().__init__(context, PromptPool(context, pool, top))
        self.strength = strength

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, less the weighted mean cosine."""
        nearest, _ = self.network.choose(*batch.padded())
        return super().loss(batch) - self.strength * nearest.mean()
