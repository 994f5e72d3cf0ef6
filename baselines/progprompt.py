"""Progressive Prompts (Razdaibiedina et al. 2023, arXiv 2301.12314).

Each experience has a prompt p_t of L vectors. Its texts are read behind the prompts of all experiences so
far, [p_t, ..., p_1, x], the newest first, of which p_t alone trains: p_1 to p_(t-1) and the encoder stay as
they are, bit for bit. Each experience has output columns of its own, which compete among each other alone in
training.

The experience of a text must be known. Where a scenario does not tell it at test time, it is taken to be the
last one (``last_id``) or that of least entropy (``ent_id``), as for ``hat``. Carried: T prompts. A step has
t L more tokens per text. Deviations: prompts train directly, where the paper puts a residual network before
them; an experience that shares its classes with others shares its output columns, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.scenario import Experience
from clbench.methods.experience_choice import BegunExperiences, Chosen, logits_by_choice
from clbench.methods.info import MethodInfo
from clbench.methods.learner import TextReader
from clbench.methods.own_columns import OwnColumnsLearner
from clbench.models.classifier import TextClassifier, frozen
from clbench.models.context import RunContext
from clbench.models.encoder import token_states
from clbench.models.prompts import freeze_for_prompts, random_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PromptSequence(TextClassifier):
    """A frozen encoder with a prompt per experience."""

    encoder: PreTrainedModel

    def __init__(self, context: RunContext) -> None:
        super().__init__(context, frozen)
        count, length = context.experiences, context.prompt_length
        freeze_for_prompts(self.encoder, count * length, context.max_tokens)
        start = random_embeddings(self.encoder, count * length, context.generator("prompts"))
        self.prompts = nn.ParameterList(each.clone() for each in start.split(length))  # T of (L, E)
        self.known = BegunExperiences(count)

    def before(self, experience: int) -> Tensor:
        """The prompts of an experience's texts, (t L, E), of which the first L vectors train."""
        earlier = [each.detach() for each in self.prompts[:experience]]
        return torch.cat([self.prompts[experience], *reversed(earlier)])

    def states(self, encoder: PreTrainedModel, batch: Batch, rows: Tensor, mask: Tensor) -> Tensor:
        """Token states of texts, each behind the prompts up to its experience."""
        found, order = [], []
        for each in batch.experience.unique().tolist():
            chosen = (batch.experience == each).nonzero()[:, 0]
            found.append(token_states(encoder, rows[chosen], mask[chosen], self.before(each)))
            order.append(chosen)
        return torch.cat(found)[torch.cat(order).argsort()]


class ProgPrompt(OwnColumnsLearner):
    """Progressive Prompts.

    Args:
        context: What the run provides.
        gates: Whose prompts a text of an unknown experience has: the last one's, or those of least entropy.
    """

    info = MethodInfo(
        summary="a prompt per experience behind which those of earlier ones stay",
        cost="more tokens per text with each experience",
        paper="Razdaibiedina et al. 2023, arXiv 2301.12314",
        bibtex=("razdaibiedina2023progressive",),
        family="projections and masks",
        tunings=("prompt",),
        memory={"network.known.": "statistics"},
        named_by_value=("gates",),
        deviations=("prompts train directly, without the paper's residual network",),
    )

    network: PromptSequence

    def __init__(self, context: RunContext, gates: Chosen = "last_id") -> None:
        super().__init__(context, PromptSequence(context))
        self.chosen = gates

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Notes whose prompt trains."""
        super().begin_experience(experience, reader)
        self.network.known.begin(experience.index)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        if self.training or self.context.task_aware:
            logits: Tensor = self.network(batch)
            return logits
        return logits_by_choice(self.network, self.network.known, batch, self.chosen)
