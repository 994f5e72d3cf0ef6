"""Networks that predict next tokens, and declare which part of them is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.models.causal_lm import EXTRA, LanguageModel, log_likelihoods
from clbench.models.classifier import Network, adapted
from clbench.models.context import RunContext
from clbench.models.encoder import token_states, with_prompts
from clbench.models.frozen_prefix import FrozenPrefix

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LanguageNetwork(Network):
    """Maps a batch to logits (M, V) of the M tokens of its texts that follow another one.

    Here with a frozen model and nothing else: a row of the prefix is a prediction (D + 2), the state, the
    next token and its log-probability.

    Args:
        context: What the run provides; its encoder is a :class:`~clbench.models.causal_lm.LanguageModel`.
    """

    def __init__(self, context: RunContext) -> None:
        super().__init__()
        self.source = language_model_of(context)
        self.row_shape = (max(1, context.max_tokens - 1), (self.source.hidden_size + EXTRA,), torch.float32)

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The predictions of the frozen model."""
        return FrozenPrefix("predictions")

    @property
    def body(self) -> PreTrainedModel:
        """What makes token states of token ids, in generation."""
        return self.source.frozen()

    def beginning(self, ids: Tensor) -> dict[str, Tensor]:
        """What ``body`` reads of the first tokens (B, T) of a text that is then continued."""
        return {"input_ids": ids}

    def output(self, states: Tensor) -> Tensor:
        """Logits (..., V) of states (..., D)."""
        return self.source.output(states)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (M, V)."""
        return self.output(self.states(batch))

    def states(self, batch: Batch) -> Tensor:
        """The states (M, D) that predict a token."""
        return batch.rows[:, : self.source.hidden_size]

    def targets(self, batch: Batch) -> Tensor:
        """The next tokens (M,)."""
        return batch.rows[:, -2].long()

    def sizes(self, batch: Batch) -> Tensor:
        """How many predictions each text has, (B,)."""
        return batch.lengths

    def masked(self, logits: Tensor, batch: Batch) -> Tensor:
        """The logits as they are: every token is allowed."""
        return logits

    def log_likelihoods(self, batch: Batch) -> Tensor:
        """Log p of each next token in nats, (M,)."""
        return log_likelihoods(self.output, self.states(batch), self.targets(batch))

    def distribution(self, states: Tensor) -> Tensor:
        """Log p of all tokens that may follow, (B, V), from states (B, D)."""
        return F.log_softmax(self.output(states), 1)


class FrozenLanguageModel(LanguageNetwork):
    """A frozen model that keeps no state: its log-probabilities were computed with its states."""

    def log_likelihoods(self, batch: Batch) -> Tensor:
        """As the prefix found them."""
        return batch.rows[:, -1]


class TunedLanguageModel(LanguageNetwork):
    """A language model of which a part trains: see ``--tuning``.

    With tuning ``frozen`` the output layer alone trains, on the states of the frozen model. Otherwise the
    whole model is a copy; the other tunings freeze its weights, output layer included.
    """

    def __init__(self, context: RunContext) -> None:
        super().__init__(context)
        self.model: PreTrainedModel | None = None
        self.head: nn.Module | None = None
        self.prompt: nn.Parameter | None = None
        copied = self.source.language_model()
        layer = copied.get_output_embeddings()
        tied = layer.weight is copied.get_input_embeddings().weight
        if context.tuning == "frozen":
            self.head = _copied(layer)
            return
        self.row_shape = (context.max_tokens, (2,), torch.int32)
        self.model = cast("PreTrainedModel", copied.base_model)
        self.head = None if tied else layer  # a weight that two modules hold would be saved twice
        self.prompt = adapted(self.model, context, context.generator("network"))
        if context.tuning != "full" and self.head is not None:
            self.head.requires_grad_(False)

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The predictions of a frozen model; none where texts arrive as token ids."""
        return super().prefix if self.model is None else None

    @property
    def body(self) -> PreTrainedModel:
        """The trained copy, or the frozen one."""
        return super().body if self.model is None else self.model

    def beginning(self, ids: Tensor) -> dict[str, Tensor]:
        """The tokens, or the prompt and their embeddings."""
        if self.prompt is None:
            return super().beginning(ids)
        return {"inputs_embeds": with_prompts(self.prompt, self.body.get_input_embeddings()(ids))}

    def output(self, states: Tensor) -> Tensor:
        """Logits of the copy's own output layer."""
        if self.head is not None:
            return cast("Tensor", self.head(states))
        assert self.model is not None
        return F.linear(states, cast("Tensor", self.model.get_input_embeddings().weight))

    def states(self, batch: Batch) -> Tensor:
        """Those of the trained copy, of all tokens but the last of each text."""
        if self.model is None:
            return super().states(batch)
        rows, mask = batch.padded()
        with self.autocast():
            states = token_states(self.model, rows, mask, self.prompt)
        return states[:, :-1][mask[:, 1:]].float()

    def targets(self, batch: Batch) -> Tensor:
        """All tokens but the first of each text."""
        if self.model is None:
            return super().targets(batch)
        rows, mask = batch.padded()
        return rows[:, 1:, 0][mask[:, 1:]].long()

    def sizes(self, batch: Batch) -> Tensor:
        """One less than the tokens of each text, where rows are tokens."""
        return super().sizes(batch) if self.model is None else batch.lengths - 1


def language_model_of(context: RunContext) -> LanguageModel:
    """The language model of a run.

    Raises:
        UserError: The run has an encoder that is none.
    """
    if not isinstance(context.encoder, LanguageModel):
        raise UserError(f"encoder '{context.encoder.name}' is no language model")
    return context.encoder


def _copied(layer: nn.Module) -> nn.Linear:
    """An output layer with weights of its own."""
    weight = cast("Tensor", layer.weight).detach()
    found = nn.Linear(weight.shape[1], weight.shape[0], bias=getattr(layer, "bias", None) is not None)
    found.load_state_dict({name: each.detach().clone() for name, each in layer.state_dict().items()})
    return found
