"""Text classifiers whose hidden units are multiplied by the gates of the text's experience."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import Batch
from clbench.methods.gating.gates import Gates
from clbench.methods.gating.protection import Factor, free_shares
from clbench.models.adapters import Adapter
from clbench.models.body import Body, Connection
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext
from clbench.models.layers import linear


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
    """Gates on the hidden units of a network.

    With a frozen encoder, these are two layers of ReLU between its features and the output layer; with the
    head ``cnn``, the channels and both fully connected layers; with adapters, the units of their bottlenecks.

    Args:
        context: What the run provides.
        width: Units of each of the two layers, with a frozen encoder and the head ``linear``.
        largest: S_max.
    """

    def __init__(self, context: RunContext, width: int, largest: float) -> None:
        super().__init__(context)
        generator = context.generator("gates")
        self.opened: tuple[Tensor, ...] = ()
        if self.encoder is None and self.body is None:
            self.body = _TwoLayers(context.encoder.hidden_size, width, generator)
            self.head = linear(width, context.columns, generator)
        sizes = [adapter.down.out_features for adapter in self._adapters()]
        if self.body is not None:
            sizes = list(self.body.sizes)
        for at, adapter in enumerate(self._adapters()):
            adapter.up.register_forward_pre_hook(
                lambda _, inputs, at=at: (inputs[0] * self.opened[at].unsqueeze(1),)
            )
        self.gates = Gates(sizes, context.experiences, largest, generator)

    def features(self, batch: Batch) -> Tensor:
        """What the output layer reads, under the gates of each text's experience."""
        self.opened = self.gates(batch.experience)
        if self.body is None:
            return super().features(batch)
        features: Tensor = self.body(batch.rows, batch.lengths, self.opened)
        return features

    def factors(self, experience: Tensor) -> list[Factor]:
        """Inputs, and the residual stream that adapters write to, are always in use; the head is free."""
        used = self.gates.used
        anything = (used.max() > 0).float().unsqueeze(0)
        return [
            factor
            for layer, outputs, inputs in self._connections()
            for factor in free_shares(
                layer,
                anything if outputs is None else used[outputs],
                None if inputs is None else used[inputs],
            )
        ]

    def _adapters(self) -> list[Adapter]:
        return [module for module in self.modules() if isinstance(module, Adapter)]

    def _connections(self) -> list[Connection]:
        if self.body is not None:
            return self.body.connections()
        found: list[Connection] = []
        start = 0
        for adapter in self._adapters():
            units = slice(start, start + adapter.down.out_features)
            found += [(adapter.down, units, None), (adapter.up, None, units)]
            start = units.stop
        return found


class _TwoLayers(Body):
    """Two layers of ReLU on pooled states."""

    def __init__(self, size: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = (width, width)
        self.first = linear(size, width, generator)
        self.second = linear(width, width, generator)

    def forward(self, rows: Tensor, lengths: Tensor, gates: Sequence[Tensor] | None = None) -> Tensor:
        first, second = (1.0, 1.0) if gates is None else gates
        states: Tensor = F.relu(self.second(F.relu(self.first(rows)) * first)) * second
        return states

    def connections(self) -> list[Connection]:
        width = self.sizes[0]
        return [
            (self.first, slice(0, width), None),
            (self.second, slice(width, 2 * width), slice(0, width)),
        ]
