"""Adapters with gated layers, as PyContinual puts them into an encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.methods.gating.gates import Gates
from clbench.methods.gating.network import GatedNetwork
from clbench.methods.gating.protection import Factor, free_shares
from clbench.models.adapters import insert_after_projections, layer_norms
from clbench.models.context import RunContext
from clbench.models.layers import linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class MaskedAdapter(nn.Module):
    """x + g2 * ReLU(second(g1 * ReLU(first(x)))), with gates g1 and g2 of the text's experience.

    The adapter of Adapter-HAT (Ke et al. 2021). Unlike a Houlsby adapter it does not start as the identity.

    Args:
        context: What the run provides: D, the size of the states, and the number of units of the inner layer.
        generator: Draws the weights.
    """

    def __init__(self, context: RunContext, generator: torch.Generator) -> None:
        super().__init__()
        self.first = linear(context.encoder.hidden_size, context.adapter_size, generator)
        self.second = linear(context.adapter_size, context.encoder.hidden_size, generator)
        self.opened: tuple[Tensor, ...] = ()  # set for each batch
        self.mask = self.experience = torch.zeros(0)

    @property
    def sizes(self) -> list[int]:
        """Gated units of each layer."""
        return [self.first.out_features, self.second.out_features]

    def open(self, gates: tuple[Tensor, ...], mask: Tensor, experience: Tensor) -> None:
        """Prepares for a batch.

        Args:
            gates: By layer, (B, units).
            mask: True for tokens, (B, T).
            experience: Of each text, (B,).
        """
        self.opened, self.mask, self.experience = gates, mask, experience

    def forward(self, states: Tensor) -> Tensor:
        """Maps states (B, T, D) to states of the same shape."""
        first, second = (gate.unsqueeze(1) for gate in self.opened[:2])
        inner = F.relu(self.first(self.enriched(states))) * first
        adapted: Tensor = states + F.relu(self.second(inner)) * second
        return adapted

    def enriched(self, states: Tensor) -> Tensor:
        """What the first layer reads: the states, and what other experiences have to say."""
        return states

    def factors(self, used: tuple[Tensor, ...], experience: Tensor) -> list[Factor]:
        """Free shares, given how far the units of each layer are in use."""
        return [*free_shares(self.first, used[0]), *free_shares(self.second, used[1], used[0])]


class MaskedAdapterClassifier(GatedNetwork):
    """A frozen encoder with masked adapters, whose layer norms train as well.

    Args:
        context: What the run provides.
        largest: S_max.
        kind: The kind of adapter.
    """

    def __init__(self, context: RunContext, largest: float, kind: type[MaskedAdapter]) -> None:
        def insert(model: PreTrainedModel, context: RunContext, generator: torch.Generator) -> None:
            model.requires_grad_(False)
            for norm in layer_norms(model):
                norm.requires_grad_(True)
            insert_after_projections(model, context.adapter_placement, lambda: kind(context, generator))

        super().__init__(context, insert)
        sizes = [size for adapter in self.adapters() for size in adapter.sizes]
        self.gates = Gates(sizes, context.experiences, largest, context.generator("gates"))

    def adapters(self) -> list[MaskedAdapter]:
        """All adapters, in the order of their gates."""
        return [module for module in self.modules() if isinstance(module, MaskedAdapter)]

    def features(self, batch: Batch) -> Tensor:
        """Pooled token states (B, D), under the gates of each text's experience."""
        longest = torch.arange(int(batch.lengths.max()), device=batch.lengths.device)
        mask = longest < batch.lengths.unsqueeze(1)
        gates = iter(self.gates(batch.experience))
        for adapter in self.adapters():
            own = tuple(next(gates) for _ in adapter.sizes)
            adapter.open(own, mask, batch.experience)
        return super().features(batch)

    @torch.no_grad()
    def features_under(self, batch: Batch, experience: int) -> Tensor:
        """Features (B, D) under the hard gates of another experience, without a gradient."""
        scale, self.gates.scale = self.gates.scale, self.gates.largest
        features = self.features(replace(batch, experience=torch.full_like(batch.experience, experience)))
        self.gates.scale = scale
        return features

    def factors(self, experience: Tensor) -> list[Factor]:
        """Free shares as in PyContinual: of adapters alone."""
        used = iter(self.gates.used_by_layer())
        return [
            factor
            for adapter in self.adapters()
            for factor in adapter.factors(tuple(next(used) for _ in adapter.sizes), experience)
        ]

    def all_factors(self, experience: Tensor) -> list[Factor]:
        """Free shares of all that earlier experiences need: layer norms and gates of others stay, too.

        Layer norms have no units, so they train on the first experience alone.
        """
        first = (self.gates.used.max() == 0).float()
        others = torch.zeros(len(self.gates.embeddings), 1, device=experience.device)
        others[experience] = 1.0
        norms = [
            (weight, first)
            for name, weight in self.named_parameters()
            if weight.requires_grad and name.startswith("encoder.") and not self._is_adapter(name)
        ]
        return [*self.factors(experience), *norms, (self.gates.embeddings, others)]

    @staticmethod
    def _is_adapter(name: str) -> bool:
        return ".adapter." in name
