"""How much each weight matters for texts, from per-example gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clbench.batch import Batch
from clbench.learner import ContinualLearner, TextReader


def mean_over_examples(
    learner: ContinualLearner,
    reader: TextReader,
    output: Callable[[Batch], Tensor],
    of: Callable[[Tensor], Tensor],
    limit: int,
) -> dict[str, Tensor]:
    """The mean over texts of a function of the gradient that each text alone gives.

    It is taken without dropout. Each text has a backward pass of its own: the square of a mean over a batch
    is not the mean of squares, and a vectorised form would hold a copy of every gradient per text, which on
    an encoder is no faster.

    Args:
        learner: Whose trainable weights.
        reader: The texts.
        output: A scalar from a batch of one text.
        of: Applied to each gradient, such as ``torch.square``.
        limit: Texts at most.

    Returns:
        By name of a weight, a tensor of its shape.
    """
    names, weights = zip(*learner.named_trainable(), strict=True)
    sums = [torch.zeros_like(weight) for weight in weights]
    was_training = learner.training
    learner.eval()
    count = 0
    for batch in reader.batches(1, limit=limit):
        gradients = torch.autograd.grad(output(batch.to(learner.device)), weights, materialize_grads=True)
        for total, gradient in zip(sums, gradients, strict=True):
            total.add_(of(gradient))
        count += 1
    learner.train(was_training)
    return {name: total / count for name, total in zip(names, sums, strict=True)}
