"""Orthogonal weights modification (OWM; Zeng et al. 2019, arXiv 1810.01256).

Each linear layer that trains has a projector P, and its gradient G (out x in) becomes G P: weights move only
in directions that hardly change the layer's outputs on inputs x seen before. P starts as the identity; for
each input, P <- P - k (P x)^T with k = P x / (alpha + x^T P x) (their recursion). Over the inputs X (n x in)
of an experience these steps together are P <- (I + P X^T X / alpha)^-1 P, which is what is computed here, at
the boundary. A bias is one more input that is always one. Training is plain SGD: steps that are scaled per
weight, as in Adam, would leave the directions that P allows.

Carried: one in x in matrix per linear layer. A boundary costs a forward pass over the texts and one linear
system per layer; a step costs one matrix product per layer. Deviations: every input counts, where the authors
take the mean of a batch; alpha is constant; trainable weights outside of linear layers (embeddings,
normalization) are frozen, since nothing would protect them.
"""

from __future__ import annotations

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn

from clbench.core.ranges import Positive
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.methods.penalties import WeightStore
from clbench.methods.projections import input_moments
from clbench.models.context import RunContext


class OWM(ContinualLearner):
    """Orthogonal weights modification.

    Args:
        context: What the run provides.
        alpha: How much of the directions that were seen stays free.
    """

    info = MethodInfo(
        summary="gradients projected off the inputs seen before",
        cost="a matrix product per layer and step; one linear system at a boundary",
        paper="Zeng et al. 2019, arXiv 1810.01256",
        bibtex=("zeng2019owm",),
        family="projections and masks",
        tunings=("full", "frozen", "adapter", "lora"),
        default_lr={"full": 1e-2, "frozen": 1.0, "cnn": 0.3, "adapter": 1e-1, "lora": 1e-1},
        memory={"projectors.": "statistics"},
        search={"alpha": (1.0, 1e5)},
        deviations=(
            "every input counts, where the authors take means of batches",
            "alpha is constant",
            "trainable weights outside linear layers stay as they are",
        ),
    )

    def __init__(self, context: RunContext, alpha: Positive = 10.0) -> None:
        super().__init__(context)
        self.alpha = alpha
        self.layers = {
            name: layer
            for name, layer in self.network.named_modules()
            if isinstance(layer, nn.Linear) and layer.weight.requires_grad
        }
        protected = {id(weight) for layer in self.layers.values() for weight in layer.parameters()}
        for weight in self.network.parameters():
            weight.requires_grad_(weight.requires_grad and id(weight) in protected)
        identities = {
            name: torch.eye(layer.in_features + (layer.bias is not None), dtype=torch.float64)
            for name, layer in self.layers.items()
        }
        self.projectors = WeightStore(identities)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Plain SGD, without weight decay."""
        return torch.optim.SGD([weight for _, weight in self.named_trainable()], lr=self.lr)

    def on_after_backward(self) -> None:
        """Projects the gradient of each layer."""
        for name, layer in self.layers.items():
            if layer.weight.grad is None:
                continue
            gradient = layer.weight.grad
            if layer.bias is not None and layer.bias.grad is not None:
                gradient = torch.cat([gradient, layer.bias.grad.unsqueeze(1)], 1)
            projected = gradient @ self.projectors[name].to(gradient.dtype)
            layer.weight.grad.copy_(projected[:, : layer.in_features])
            if layer.bias is not None and layer.bias.grad is not None:
                layer.bias.grad.copy_(projected[:, -1])

    @torch.no_grad()
    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Takes the directions of the experience's inputs out of the projectors."""
        for name, moments in input_moments(self, reader, self.layers).items():
            old = self.projectors[name]
            system = torch.eye(len(old), dtype=old.dtype, device=old.device) + old @ moments / self.alpha
            old.copy_(torch.linalg.solve(system, old))
