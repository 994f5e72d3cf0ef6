"""Bottleneck adapters: a frozen encoder with small trainable modules in its layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.errors import UserError
from clbench.core.types import Placement
from clbench.models.attention import output_projections

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# The standard deviation of Houlsby et al. 2019, section 3.6.
_DEVIATION = 0.01


class Adapter(nn.Module):
    """A two-layer bottleneck with a skip connection: ``h + up(gelu(down(h)))``.

    Houlsby et al. 2019, section 2.1. It starts as the identity, bit for bit: ``up`` is zero (in the paper,
    nearly zero).

    Args:
        hidden_size: D, the size of the states.
        size: m, the size of the bottleneck; the adapter has 2Dm + D + m parameters.
        generator: Draws the weights of ``down``; None for the global random state.
    """

    def __init__(self, hidden_size: int, size: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.down = nn.utils.skip_init(nn.Linear, hidden_size, size)
        self.up = nn.utils.skip_init(nn.Linear, size, hidden_size)
        nn.init.trunc_normal_(
            self.down.weight, std=_DEVIATION, a=-2 * _DEVIATION, b=2 * _DEVIATION, generator=generator
        )
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, states: Tensor) -> Tensor:
        """Maps states (..., D) to states of the same shape."""
        adapted: Tensor = states + self.up(F.gelu(self.down(states)))
        return adapted


class _Adapted(nn.Sequential):
    """A projection with an adapter after it."""

    @property
    def weight(self) -> Tensor:
        """That of the projection; T5 asks for its type."""
        return cast(nn.Linear, self.linear).weight


def add_adapters(
    model: PreTrainedModel,
    size: int = 64,
    placement: Placement = "houlsby",
    generator: torch.Generator | None = None,
) -> None:
    """Freezes ``model`` and inserts adapters into each of its layers, in place.

    The outputs are unchanged, bit for bit, until the adapters are trained. With L layers and hidden size D,
    the trainable parameters are 2L (``houlsby``) or L (``pfeiffer``) times 2D·size + D + size; L is 1 for
    ALBERT, whose layers share their weights.

    Args:
        model: An encoder of a type that ``clbench.models.attention.OUTPUTS`` covers.
        size: The size of the bottleneck.
        placement: ``houlsby``: after the projections of attention and of the feed-forward part, each before
            its dropout, residual connection and layer norm (Houlsby et al. 2019, arXiv 1902.00751, section
            2.1). ``pfeiffer``: after the feed-forward part alone (Pfeiffer et al. 2020, arXiv 2005.00052).
            Unlike in Houlsby et al., the layer norms stay frozen: the adapters are all that trains.
        generator: Draws the adapters' weights; None for the global random state.

    Raises:
        UserError: The model is of another type, or ``size`` is not positive.
    """
    if size < 1:
        raise UserError(f"adapter size {size}: the bottleneck needs at least one unit")
    given = list(model.parameters())
    insert_after_projections(model, placement, lambda: Adapter(model.config.hidden_size, size, generator))
    for parameter in given:  # once the model is known to be of a type that can have adapters
        parameter.requires_grad_(False)


def insert_after_projections(
    model: PreTrainedModel, placement: Placement, make: Callable[[], nn.Module]
) -> None:
    """Inserts modules into each layer of ``model``, in place; see ``add_adapters``.

    Args:
        model: An encoder of a type that ``clbench.models.attention.OUTPUTS`` covers.
        placement: After the projections of attention and feed-forward part, or of the latter alone.
        make: Makes a module that maps states (B, T, D) to states of the same shape.

    Raises:
        UserError: The model is of another type.
    """
    attention, feed_forward = output_projections(model)
    if not feed_forward:
        raise UserError(
            f"adapters: no layers with known projections in an encoder of type '{model.config.model_type}'; "
            "tuning full, frozen or lora may work"
        )
    for one, other in zip(attention, feed_forward, strict=True):
        for place in (one, other) if placement == "houlsby" else (other,):
            linear = cast(nn.Linear, model.get_submodule(place))
            adapter = make().to(linear.weight)
            model.set_submodule(place, _Adapted(OrderedDict(linear=linear, adapter=adapter)))


def layer_norms(model: PreTrainedModel) -> list[nn.Module]:
    """The normalization modules inside the layers of an encoder, before adapters are inserted."""
    found = []
    for one, other in zip(*output_projections(model), strict=True):
        pairs = zip(one.split("."), other.split("."), strict=False)
        layer = ".".join(name for name, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        modules = model.get_submodule(layer).modules()
        found += [module for module in modules if type(module).__name__.endswith("Norm")]
    return found
