"""Low-rank updates that are learned one experience after the other, and add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.errors import UserError
from clbench.models.classifier import TextClassifier, frozen
from clbench.models.context import RunContext

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LowRankSum(nn.Module):
    """scale * (B A + sum over earlier experiences of B_i A_i): what is added to the weight of a layer.

    Args:
        inputs: Inputs of the layer.
        outputs: Outputs of the layer.
        rank: r, the rank of one pair.
        experiences: T, the most pairs there can be.
        scale: What their sum is multiplied by.

    Attributes:
        a: (r, inputs), of the current experience. It starts at zero: see ``draw``.
        b: (outputs, r), of the current experience, zero at first.
        old_a: (T r, inputs), those of experiences that were kept, one after the other; zero elsewhere.
        old_b: (outputs, T r), likewise.
    """

    old_a: Tensor
    old_b: Tensor

    def __init__(self, inputs: int, outputs: int, rank: int, experiences: int, scale: float = 1.0) -> None:
        super().__init__()
        self.rank, self.scale = rank, scale
        self.a = nn.Parameter(torch.zeros(rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.register_buffer("old_a", torch.zeros(experiences * rank, inputs))
        self.register_buffer("old_b", torch.zeros(outputs, experiences * rank))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Draws A as LoRA does, uniform within 1 / sqrt(inputs)."""
        drawn = torch.empty(self.a.shape)
        nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
        self.a.copy_(drawn)

    def forward(self, inputs: Tensor) -> Tensor:
        """What is added to the layer's outputs (..., outputs) for its inputs (..., inputs)."""
        new = F.linear(F.linear(inputs, self.a), self.b)
        old = F.linear(F.linear(inputs, self.old_a), self.old_b)
        return self.scale * (new + old)

    @torch.no_grad()
    def keep(self, experience: int) -> None:
        """Puts the current pair among the old ones, where it stays; B is zero then."""
        rows = slice(experience * self.rank, (experience + 1) * self.rank)
        self.old_a[rows] = self.a
        self.old_b[:, rows] = self.b
        self.b.zero_()

    def overlap(self) -> Tensor:
        """Sum |A_old A^T| over all entries: how far the current A is from orthogonal to the old ones."""
        return (self.old_a @ self.a.T).abs().sum()


def add_low_rank(
    model: PreTrainedModel, targets: Sequence[str], rank: int, experiences: int, scale: float = 1.0
) -> nn.ModuleDict:
    """Adds low-rank sums to the outputs of some of its layers, by hooks.

    Args:
        model: An encoder.
        targets: Names of linear layers.
        rank: The rank of one pair.
        experiences: The most pairs of a layer.
        scale: What each sum is multiplied by.

    Returns:
        The sums, by the layer's name with slashes for dots. They are no part of ``model``.

    Raises:
        UserError: There are no layers.
    """
    if not targets:
        raise UserError(
            f"low-rank updates: no linear layers of attention in type '{model.config.model_type}'"
        )
    sums = nn.ModuleDict()
    for name in targets:
        layer = model.get_submodule(name)
        outputs, inputs = cast(Tensor, layer.weight).shape
        if type(layer).__name__ == "Conv1D":
            outputs, inputs = inputs, outputs
        added = LowRankSum(inputs, outputs, rank, experiences, scale)
        # By a hook, the sums stay apart from the model: one prefix tells what is carried.
        layer.register_forward_hook(lambda _, inputs, output, added=added: output + added(inputs[0]))
        sums[name.replace(".", "/")] = added
    return sums


class LowRankClassifier(TextClassifier):
    """A text classifier with a frozen encoder, and low-rank sums on some of its layers.

    Args:
        context: What the run provides; its rank is that of one pair.
        targets: Names of the layers of an encoder.
        scale: What each sum is multiplied by.
    """

    encoder: PreTrainedModel

    def __init__(
        self, context: RunContext, targets: Callable[[PreTrainedModel], list[str]], scale: float = 1.0
    ) -> None:
        super().__init__(context, frozen)
        found = targets(self.encoder)
        self.added = add_low_rank(self.encoder, found, context.lora_rank, context.experiences, scale)

    @property
    def sums(self) -> dict[str, LowRankSum]:
        """The sums, by the layer's name."""
        return {name.replace("/", "."): cast(LowRankSum, each) for name, each in self.added.items()}
