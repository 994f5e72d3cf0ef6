"""Text classifiers that declare which part of them is frozen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.core.types import Head, Pooled
from clbench.models.adapters import add_adapters
from clbench.models.body import Body
from clbench.models.context import RunContext
from clbench.models.encoder import token_states
from clbench.models.frozen_prefix import FrozenPrefix, Pooling, pooled
from clbench.models.layers import linear
from clbench.models.lora import add_lora
from clbench.models.prompts import add_prompt
from clbench.models.text_cnn import TextCNN

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Adapt = Callable[["PreTrainedModel", RunContext, torch.Generator], nn.Parameter | None]


class Network(nn.Module):
    """Maps a batch, after the frozen prefix, to logits: over all output columns, or over all next tokens.

    Attributes:
        row_shape: The output of the prefix for one text: most rows, shape of a row, data type. A replay
            buffer stores texts in this form.
        autocast: The context in which a trained encoder computes. The engine sets it to the run's precision.
            It covers the encoder alone, whoever calls it, so logits and what a method does with them are in
            float32.
        heads: The values of the option ``head`` that it follows.
        pooling: How token states become one vector per text; None if it does not follow the run's option.
    """

    heads: tuple[Head, ...] = ("linear",)
    pooling: Pooled | None = None
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The frozen prefix, or None where texts arrive as token ids."""
        return None

    row_shape: tuple[int, tuple[int, ...], torch.dtype]

    def targets(self, batch: Batch) -> Tensor:
        """What the rows of ``forward`` are trained to predict: the column (B,) of each text."""
        return batch.targets

    def masked(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits (B, C), minus infinity outside each text's class mask."""
        return logits.masked_fill(~batch.class_mask, -torch.inf)


def adapted(model: PreTrainedModel, context: RunContext, generator: torch.Generator) -> nn.Parameter | None:
    """Makes of a model what the run's tuning says, in place.

    Returns:
        The prompt that trains before the embeddings of each text, with tuning ``prompt``.

    Raises:
        UserError: The model cannot be tuned in that way.
    """
    if context.tuning == "adapter":
        add_adapters(model, context.adapter_size, context.adapter_placement, generator=generator)
    elif context.tuning == "lora":
        add_lora(model, context.lora_rank, generator=generator)
    elif context.tuning == "prompt":
        return add_prompt(model, context.prompt_length, context.max_tokens, generator)
    return None


def frozen(model: PreTrainedModel, context: RunContext, generator: torch.Generator) -> None:
    """Freezes a model, where a network adds to it what trains."""
    model.requires_grad_(False)


class TextClassifier(Network):
    """An encoder, its token states pooled to one vector, and one linear layer over all C output columns.

    With tuning ``frozen`` the encoder is the frozen prefix, and this network holds the linear layer only.
    With the head ``cnn``, a text CNN on the frozen token states takes the place of pooling.

    Args:
        context: What the run provides.
        adapt: Decides what trains of a tuned encoder, puts modules into it, and may return a prompt.
    """

    heads = ("linear", "cnn")
    pooling: Pooled

    def __init__(self, context: RunContext, adapt: Adapt = adapted) -> None:
        super().__init__()
        self.pooling = context.pooling
        size = context.encoder.hidden_size
        generator = context.generator("network")
        self.encoder = None if context.tuning == "frozen" else context.encoder.model()
        self.prompt: nn.Parameter | None = None
        self.body: Body | None = None  # between what is kept of the states and the output layer
        self.kept: Pooling = self.pooling
        if context.head == "cnn":
            if context.tuning != "frozen" or context.pooling != "mean":
                raise UserError("option head is 'cnn': it works with tuning frozen, and pools in its own way")
            self.body, self.kept = TextCNN(size, generator), "states"
            self.row_shape = (context.max_tokens, (size,), torch.float32)
            size = self.body.sizes[-1]
        elif self.encoder is None:
            self.row_shape = (1, (size,), torch.float32)
        else:
            self.row_shape = (context.max_tokens, (2,), torch.int32)
            self.prompt = adapt(self.encoder, context, generator)
        self.head = linear(size, context.columns, generator)

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The token states of a frozen encoder, pooled unless a text CNN reads them."""
        return FrozenPrefix(self.kept) if self.encoder is None else None

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        logits: Tensor = self.head(self.features(batch))
        return logits

    def features(self, batch: Batch) -> Tensor:
        """What the output layer reads of each text: pooled token states (B, D), or features of the CNN."""
        if self.body is not None:
            features: Tensor = self.body(batch.rows, batch.lengths)
            return features
        if self.encoder is None:
            return batch.rows  # one row per text
        rows, mask = batch.padded()
        with self.autocast():
            states = self.states(self.encoder, batch, rows, mask)
        return pooled(states.float(), mask, self.pooling)[0].squeeze(1)

    def states(self, encoder: PreTrainedModel, batch: Batch, rows: Tensor, mask: Tensor) -> Tensor:
        """The token states (B, T, D) of a tuned encoder, for the batch's tokens (B, T, 2) and their mask."""
        return token_states(encoder, rows, mask, self.prompt)
