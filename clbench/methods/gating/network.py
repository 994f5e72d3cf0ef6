"""Text classifiers whose hidden units are multiplied by the gates of the text's experience."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.methods.gating.gates import Gates
from clbench.methods.gating.protection import Factor, free_shares
from clbench.models.adapters import Adapter
from clbench.models.classifier import TextClassifier, linear
from clbench.models.context import RunContext


class GatedNetwork(TextClassifier):
    """A text classifier with gates.

    Attributes:
        gates: Those of all gated layers.
    """

    gates: Gates

    def factors(self, experience: Tensor) -> list[Factor]:
        """The protected weights, and how far each may move in a step on texts of these experiences, (B,)."""
        raise NotImplementedError


class GatedClassifier(GatedNetwork):
    """With a frozen encoder, gates act on two layers of ReLU between its features and the output layer.

    With adapters, they act on the units of the adapters' bottlenecks.

    Args:
        context: What the run provides.
        width: Units of each of the two layers, with a frozen encoder.
        largest: S_max.
    """

    def __init__(self, context: RunContext, width: int, largest: float) -> None:
        super().__init__(context)
        generator = context.generator("gates")
        self.opened: tuple[Tensor, ...] = ()
        self.hidden = nn.ModuleList()
        if self.encoder is None:
            size = context.encoder.hidden_size
            self.hidden.extend([linear(size, width, generator), linear(width, width, generator)])
            self.head = linear(width, context.columns, generator)
            sizes = [width, width]
        else:
            sizes = [adapter.down.out_features for adapter in self._adapters()]
            for at, adapter in enumerate(self._adapters()):
                adapter.up.register_forward_pre_hook(
                    lambda _, inputs, at=at: (inputs[0] * self.opened[at].unsqueeze(1),)
                )
        self.gates = Gates(sizes, context.experiences, largest, generator)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        self.opened = self.gates(batch.experience)
        if self.encoder is not None:
            return super().forward(batch)
        states = self.features(batch)
        for layer, gate in zip(self.hidden, self.opened, strict=True):
            states = F.relu(layer(states)) * gate
        logits: Tensor = self.head(states)
        return logits

    def factors(self, experience: Tensor) -> list[Factor]:
        """Inputs, and the residual stream that adapters write to, are always in use; the head is free."""
        used = self.gates.used_by_layer()
        if self.encoder is None:
            first, second = (cast(nn.Linear, layer) for layer in self.hidden)
            return [*free_shares(first, used[0]), *free_shares(second, used[1], used[0])]
        anything = (self.gates.used.max() > 0).float().unsqueeze(0)
        return [
            factor
            for adapter, each in zip(self._adapters(), used, strict=True)
            for factor in (*free_shares(adapter.down, each), *free_shares(adapter.up, anything, each))
        ]

    def _adapters(self) -> list[Adapter]:
        assert self.encoder is not None
        return [module for module in self.encoder.modules() if isinstance(module, Adapter)]
