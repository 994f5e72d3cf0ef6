"""Linear layers split by singular values: the large ones are kept, the small ones train."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.models.attention import linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class SplitLinear(nn.Module):
    """x (K + U diag(s) V)^T + b, with K = U_k diag(s_k) V_k the kept part of a weight's decomposition.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,), or None.
        share: The share of all singular values that is kept, the largest ones.

    Attributes:
        kept: K (outputs, inputs).
        kept_u: U_k (outputs, k).
        kept_v: V_k (k, inputs).
        u: U (outputs, r), which trains, as do s and v.
        s: (r,).
        v: V (r, inputs).
    """

    kept: Tensor
    kept_u: Tensor
    kept_v: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, share: float) -> None:
        super().__init__()
        least = min(weight.shape)
        self.count = min(least - 1, max(1, int(share * least)))
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias.detach().clone(), False))
        outputs, inputs = weight.shape
        self.register_buffer("kept", torch.zeros(outputs, inputs))
        self.register_buffer("kept_u", torch.zeros(outputs, self.count))
        self.register_buffer("kept_v", torch.zeros(self.count, inputs))
        self.u = nn.Parameter(torch.zeros(outputs, least - self.count))
        self.s = nn.Parameter(torch.zeros(least - self.count))
        self.v = nn.Parameter(torch.zeros(least - self.count, inputs))
        self.split(weight)

    @property
    def weight(self) -> Tensor:
        """The whole weight (outputs, inputs)."""
        return self.kept + (self.u * self.s) @ self.v

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (..., outputs) of inputs (..., inputs)."""
        return F.linear(inputs, self.weight, self.bias)

    @torch.no_grad()
    def split(self, weight: Tensor) -> None:
        """Splits a weight anew; the layer's outputs stay what they are with it, but for rounding."""
        u, s, v = torch.linalg.svd(weight.detach().double(), full_matrices=False)
        k = self.count
        self.kept.copy_((u[:, :k] * s[:k]) @ v[:k])
        self.kept_u.copy_(u[:, :k])
        self.kept_v.copy_(v[:k])
        self.u.copy_(u[:, k:])
        self.s.copy_(s[k:])
        self.v.copy_(v[k:])

    @torch.no_grad()
    def protect(self) -> None:
        """Takes out of U and V what lies in the directions that are kept."""
        self.u.sub_(self.kept_u @ (self.kept_u.T @ self.u))
        self.v.sub_((self.v @ self.kept_v.T) @ self.kept_v)


def split_linear_layers(model: PreTrainedModel, share: float) -> None:
    """Freezes ``model`` and puts a :class:`SplitLinear` in the place of each of its linear layers."""
    model.requires_grad_(False)
    for name in linear_layers(model):
        layer = model.get_submodule(name)
        weight, bias = cast(Tensor, layer.weight), cast("Tensor | None", layer.bias)
        rows = weight.T if type(layer).__name__ == "Conv1D" else weight
        model.set_submodule(name, SplitLinear(rows, bias, share))
