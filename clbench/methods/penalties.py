"""Stored copies of weights, quadratic penalties on moving away from them, and per-example gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.classifier import Network


class WeightStore(nn.Module):
    """One tensor per named weight, kept as registered buffers of fixed shape.

    Args:
        weights: The weights, by name.
        zero: Start at zeros instead of copies.
        persistent: Whether checkpoints hold it; not needed for what is used within one experience only.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, zero: bool = False, persistent: bool = True) -> None:
        super().__init__()
        for name, weight in weights.items():
            start = torch.zeros_like(weight) if zero else weight.detach().clone()
            self.register_buffer(_key(name), start.detach(), persistent=persistent)

    def __getitem__(self, name: str) -> Tensor:
        return self.get_buffer(_key(name))

    def copy(self, weights: Mapping[str, Tensor]) -> None:
        """Stores the current values of ``weights``."""
        for name, weight in weights.items():
            self[name].copy_(weight.detach())


class QuadraticPenalty(nn.Module):
    """``strength / 2 * sum_j importance_j (w_j - anchor_j)^2`` (Kirkpatrick et al. 2017, eq. 3).

    Args:
        weights: The trainable parameters, by name (not copies).
        strength: Weight of the penalty; 0 leaves the loss as it is, bit for bit.

    Attributes:
        importance: Importance of each weight; zero at first.
        anchor: The value that each weight is held at; the initial weights at first.
        boundaries: Experiences consolidated so far, ().
    """

    boundaries: Tensor

    def __init__(self, weights: Mapping[str, Tensor], strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.weights = dict(weights)
        self.importance = WeightStore(weights, zero=True)
        self.anchor = WeightStore(weights)
        self.register_buffer("boundaries", torch.zeros((), dtype=torch.int64))

    def added_to(self, loss: Tensor) -> Tensor:
        """``loss`` + the penalty, which is zero before the first boundary."""
        if not self.strength or not self.boundaries:
            return loss
        terms = [
            (self.importance[name] * (weight - self.anchor[name]).square()).sum()
            for name, weight in self.weights.items()
        ]
        return loss + self.strength / 2 * torch.stack(terms).sum()

    def gradient(self, name: str) -> Tensor:
        """The gradient of the penalty with respect to a weight: strength x importance x (w - anchor)."""
        moved = self.weights[name].detach() - self.anchor[name]
        return self.strength * self.importance[name] * moved

    def consolidate(self, importance: Mapping[str, Tensor]) -> None:
        """Sets the importances and moves the anchor to the current weights."""
        for name in self.weights:
            self.importance[name].copy_(importance[name])
        self.anchor.copy(self.weights)
        self.boundaries += 1


def _key(name: str) -> str:
    return name.replace(".", "/")  # a buffer's name has no dots


Labels = Literal["exact", "sampled", "true"]
"""Which labels a Fisher information is the expectation over: all, a drawn one, or the one in the data."""


def likelihood_gradients(
    network: Network, logits: Tensor, batch: Batch, labels: Labels, generator: torch.Generator
) -> Tensor:
    """Gradients of log p(y|x) with respect to the logits, for the labels y of one text x.

    Args:
        network: What made the logits.
        logits: (1, C); of the next tokens of a language model (M, V), where y is all of them.
        batch: The text.
        labels: ``exact`` takes all y, each gradient times sqrt(p(y|x)), so that squares add up to their mean.
        generator: Draws ``sampled`` ones.

    Returns:
        (C, 1, C) if exact, else (1, M, V).

    Raises:
        UserError: ``exact`` of a language model.
    """
    p = network.masked(logits.detach(), batch).softmax(1)
    if labels == "exact":
        if p.shape != batch.class_mask.shape:
            raise UserError("labels exact: a language model has too many; sampled or true is possible")
        return (p.sqrt().T * (torch.eye(p.shape[1]).to(p) - p)).unsqueeze(1)
    chosen = network.targets(batch)
    if labels == "sampled":
        chosen = p.cpu().multinomial(1, generator=generator)[:, 0].to(p.device)
    return (F.one_hot(chosen, p.shape[1]) - p).unsqueeze(0)


GRADIENTS_AT_ONCE = 2**20
"""Most numbers in the gradients of several directions that are computed at once."""


def mean_over_examples(
    learner: ContinualLearner,
    reader: TextReader,
    directions: Callable[[Batch], tuple[Tensor, Tensor]],
    of: Callable[[Tensor], Tensor],
    limit: int,
) -> dict[str, Tensor]:
    """The mean over texts of ``sum_k of(J^T d_k)``, J the Jacobian of a text's logits, without dropout.

    Each text has its own backward pass: the square of a mean over a batch is not the mean of squares. As many
    directions are taken at once as the caches hold. A linear layer on frozen features x needs no backward
    pass: its gradient is d x^T, and ``sum_k of(d_k x^T)`` is ``sum_k of(d_k) of(x)^T``.

    Args:
        learner: The model whose trainable weights are differentiated.
        reader: The texts.
        directions: From a batch of one text, its logits and the directions (K, *logits.shape), which are
            the gradients of K functions with respect to the logits.
        of: Element-wise function of the gradients with of(ab) = of(a) of(b), such as ``torch.square``.
        limit: Use at most this many texts.

    Returns:
        A tensor of the shape of each weight, by the weight's name.
    """
    names, weights = zip(*learner.named_trainable(), strict=True)
    sums = [torch.zeros_like(weight) for weight in weights]
    head = _only_layer(learner, weights)
    was_training = learner.training
    learner.eval()
    count = 0
    for batch in reader.batches(1, limit=limit):
        one = batch.to(learner.device)
        parts = (
            _by_backward(weights, *directions(one), of)
            if head is None
            else _of_layer(head, directions, one, of)
        )
        for part in parts:
            for total, each in zip(sums, part, strict=True):
                total.add_(each)
        count += 1
    learner.train(was_training)
    return {name: total / count for name, total in zip(names, sums, strict=True)}


def _by_backward(
    weights: Sequence[Tensor], logits: Tensor, rows: Tensor, of: Callable[[Tensor], Tensor]
) -> Iterator[list[Tensor]]:
    """What one text adds for each weight, by backward passes."""
    size = max(1, GRADIENTS_AT_ONCE // sum(weight.numel() for weight in weights))
    for some in rows.split(size):
        # Vectorized over a single direction, a backward pass takes half as long again.
        one = len(some) == 1
        gradients = torch.autograd.grad(
            logits,
            weights,
            some[0] if one else some,
            retain_graph=True,
            is_grads_batched=not one,
            materialize_grads=True,
        )
        yield [of(gradient) if one else of(gradient).sum(0) for gradient in gradients]


def _of_layer(
    head: nn.Linear,
    directions: Callable[[Batch], tuple[Tensor, Tensor]],
    batch: Batch,
    of: Callable[[Tensor], Tensor],
) -> Iterator[list[Tensor]]:
    """The same, where a linear layer is all that trains."""
    seen: list[Tensor] = []  # (1, D)
    hook = head.register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))
    try:
        rows = directions(batch)[1].flatten(1)  # (K, C)
    finally:
        hook.remove()
    outputs = of(rows).sum(0)
    yield [torch.outer(outputs, of(seen[0][0])), outputs]


def _only_layer(learner: ContinualLearner, weights: Sequence[Tensor]) -> nn.Linear | None:
    """The linear layer whose weight and bias are all trainable weights of a learner, if they are."""
    head = getattr(learner.network, "head", None)
    if not isinstance(head, nn.Linear):
        return None
    own = [head.weight, head.bias]
    same = len(own) == len(weights) and all(ours is each for ours, each in zip(own, weights, strict=True))
    return head if same else None
