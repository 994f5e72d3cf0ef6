"""Second moments of the inputs of linear layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from clbench.methods.learner import ContinualLearner, TextReader


@torch.no_grad()
def input_moments(
    learner: ContinualLearner, reader: TextReader, layers: Mapping[str, nn.Linear]
) -> dict[str, Tensor]:
    """The sum of x x^T over all inputs x of each layer, without dropout.

    Args:
        learner: The model that contains the layers.
        reader: The texts; padding does not count.
        layers: The layers, by name. For a layer with a bias, a one is appended to x.

    Returns:
        By the layer's name, (in, in) or (in + 1, in + 1), in double precision.
    """
    sums: dict[str, Tensor] = {}
    mask = torch.ones(0, dtype=torch.bool)

    def observe(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            rows = inputs[0][mask] if inputs[0].shape[:-1] == mask.shape else inputs[0].flatten(0, -2)
            if layer.bias is not None:
                rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
            rows = rows.double()  # (n, in)
            sums[name] = sums.get(name, 0) + rows.T @ rows

        return hook

    hooks = [layer.register_forward_pre_hook(observe(name)) for name, layer in layers.items()]
    was_training = learner.training
    learner.eval()
    for batch in reader.batches(learner.context.batch_size):
        one = batch.to(learner.device)
        mask = one.padded()[1]
        learner.network(one)
    learner.train(was_training)
    for each in hooks:
        each.remove()
    return sums
