"""Text classifiers that declare which part of them is frozen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.types import Pooled
from clbench.models.adapters import add_adapters
from clbench.models.context import RunContext
from clbench.models.encoder import token_states
from clbench.models.frozen_prefix import FrozenPrefix, pooled
from clbench.models.lora import add_lora


def linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with weights uniform within 1 / sqrt(inputs), from ``generator``, and a bias of zero."""
    layer = nn.Linear(inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator)
    nn.init.zeros_(layer.bias)
    return layer


class Network(nn.Module):
    """Maps a batch, after the frozen prefix, to logits: over all output columns, or over all next tokens.

    Attributes:
        row_shape: The output of the prefix for one text: most rows, shape of a row, data type. A replay
            buffer stores texts in this form.
        autocast: The context in which a trained encoder computes. The engine sets it to the run's precision.
            It covers the encoder alone, whoever calls it, so logits and what a method does with them are in
            float32.
        pooling: How token states become one vector per text; None if it does not follow the run's option.
    """

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


class TextClassifier(Network):
    """An encoder, its token states pooled to one vector, and one linear layer over all C output columns.

    With tuning ``frozen`` the encoder is the frozen prefix, and this network holds the linear layer only.
    """

    pooling: Pooled

    def __init__(self, context: RunContext) -> None:
        super().__init__()
        self.pooling = context.pooling
        size = context.encoder.hidden_size
        generator = context.generator("network")
        self.encoder = None if context.tuning == "frozen" else context.encoder.model()
        if self.encoder is None:
            self.row_shape = (1, (size,), torch.float32)
        else:
            self.row_shape = (context.max_tokens, (2,), torch.int32)
            if context.tuning == "adapter":
                add_adapters(
                    self.encoder, context.adapter_size, context.adapter_placement, generator=generator
                )
            elif context.tuning == "lora":
                add_lora(self.encoder, context.lora_rank, generator=generator)
        self.head = linear(size, context.columns, generator)

    @property
    def prefix(self) -> FrozenPrefix | None:
        """The pooled token states of a frozen encoder."""
        return FrozenPrefix(self.pooling) if self.encoder is None else None

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        logits: Tensor = self.head(self.features(batch))
        return logits

    def features(self, batch: Batch) -> Tensor:
        """The pooled token states (B, D) of each text."""
        if self.encoder is None:
            return batch.rows  # one row per text
        rows, mask = batch.padded()
        with self.autocast():
            states = token_states(self.encoder, rows, mask)
        return pooled(states.float(), mask, self.pooling)[0].squeeze(1)
