"""Optimizers that move the rows of a sparse gradient and no others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class RowOptimizer(torch.optim.Optimizer):
    """An optimizer whose state has as many rows as the weights.

    A sparse gradient is that of some rows (it is coalesced); a dense one is that of all rows. Rows without a
    gradient do not change, and neither does their state.

    Args:
        params: Parameters, or groups of them with a learning rate each.
        lr: The learning rate of groups that have none.
    """

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; ``closure`` computes the gradients and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                gradient = weight.grad
                if gradient is None:
                    continue
                if gradient.is_sparse:
                    for rows, entries in _parts(*_distinct(gradient)):
                        change = self.change(weight, rows, entries, group["lr"])
                        # With an expanded index this is several times faster than index_put_ or index_add_.
                        weight.scatter_add_(0, rows.unsqueeze(1).expand_as(change), change)
                else:
                    weight.add_(self.change(weight, slice(None), gradient, group["lr"]))
        return loss

    @abstractmethod
    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """What is added to ``rows`` of ``weight``, in the shape of their gradient."""


class RowSGD(RowOptimizer):
    """``w <- w - lr g``."""

    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """-lr g."""
        return gradient * -lr


class Adagrad(RowOptimizer):
    """Adagrad: s <- s + g^2, w <- w - lr g / sqrt(s) (Duchi et al. 2011).

    What ``torch.optim.Adagrad`` computes, without its sparse tensors.
    """

    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """-lr g / sqrt(s), after s has grown."""
        state = self.state[weight]
        if not state:
            state["sums"] = torch.zeros_like(weight)
        sums = _rows(state["sums"], rows).addcmul(gradient, gradient)
        state["sums"][rows] = sums
        return gradient.div(sums.sqrt_().add_(EPS)).mul_(-lr)


class RowAdagrad(RowOptimizer):
    """Adagrad with one sum per row: s <- s + mean(g^2), w <- w - lr g / sqrt(s).

    Duchi et al. 2011; with one number per row as in embedding tables of recommenders (Mudigere et al. 2022,
    arXiv 2104.05158, "row-wise Adagrad").
    """

    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """-lr g / sqrt(s), after s has grown."""
        state = self.state[weight]
        if not state:
            state["sums"] = weight.new_zeros(len(weight))
        sums = _rows(state["sums"], rows) + _row_means(gradient.square())
        state["sums"][rows] = sums
        return _scaled(gradient, -lr * sums.clamp(min=TINY).rsqrt())


class RowAdam(RowOptimizer):
    """Adam without momentum and with one average per row, corrected by the row's own number of steps.

    v <- beta v + (1 - beta) mean(g^2), w <- w - lr g / sqrt(v / (1 - beta^n)).
    """

    beta = 0.999

    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """-lr g / sqrt(v / (1 - beta^n)), after v and n have moved."""
        state = self.state[weight]
        if not state:
            state["averages"], state["steps"] = (weight.new_zeros(len(weight)) for _ in range(2))
        steps = _rows(state["steps"], rows) + 1
        averages = _rows(state["averages"], rows).lerp(_row_means(gradient.square()), 1 - self.beta)
        state["steps"][rows], state["averages"][rows] = steps, averages
        scale = (averages / (1 - self.beta**steps)).clamp(min=TINY).rsqrt()
        return _scaled(gradient, -lr * scale)


class RowMean(RowOptimizer):
    """A row is a running mean of gradients, weighted by their norms: the more it has seen, the less it moves.

    m <- m + |g|, w <- w - (lr g + |g| w) / m. Where all columns have gradients, any number of steps from zero
    ends at w = -lr sum(g) / sum(|g|): their order makes no difference but through g. Columns without a
    gradient, those of other tasks, stay.

    The sums m go on from one optimizer to the next: with new ones, a first step would replace all of a row.

    Args:
        params: One parameter (R, V), or groups of it with a learning rate.
        mass: m, (R,), zeros at first.
    """

    def __init__(self, params: Any, mass: Tensor) -> None:
        super().__init__(params)
        self.mass = mass

    def change(self, weight: Tensor, rows: Tensor | slice, gradient: Tensor, lr: float) -> Tensor:
        """-(lr g + |g| w) / m in columns with a gradient, after m has grown."""
        norms = gradient.norm(dim=1)
        mass = _rows(self.mass, rows) + norms
        self.mass[rows] = mass
        kept = _scaled(_rows(weight.detach(), rows), norms).mul_(gradient != 0)
        return (gradient * -lr).sub_(kept).mul_((1 / mass.clamp(min=TINY)).unsqueeze(1))


EPS = 1e-10
"""Of ``torch.optim.Adagrad``."""
TINY = 1e-30
"""Keeps the quotient of a gradient of zero finite."""
CACHED = 2**17
"""Numbers of a part: 512 KiB."""


def _distinct(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of a sparse gradient, each once, and their entries."""
    rows = gradient._indices()[0]
    if not (rows[1:] > rows[:-1]).all():  # autograd forgets that a gradient is coalesced: look
        gradient = gradient.coalesce()
        rows = gradient._indices()[0]
    return rows, gradient._values()


def _parts(rows: Tensor, entries: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows with their entries (n, V): on a CPU, as many at a time as its caches hold with their changes."""
    if rows.device.type != "cpu":
        return iter([(rows, entries)])
    size = max(1, CACHED * len(entries) // max(1, entries.numel()))
    return zip(rows.split(size), entries.split(size), strict=True)


def _rows(table: Tensor, rows: Tensor | slice) -> Tensor:
    """``table[rows]``, several times faster than by indexing."""
    return table[rows] if isinstance(rows, slice) else table.index_select(0, rows)


def _scaled(gradient: Tensor, by_row: Tensor) -> Tensor:
    return gradient * by_row.view(-1, *[1] * (gradient.dim() - 1))


def _row_means(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.dim() > 1 else values


class KeptMoments(nn.Module):
    """State of Adam for one optimizer over a whole stream: buffers, so that it is saved and counted.

    Each experience has a new optimizer; ``give`` lets it go on where the last one ended. It updates averages
    and counts of steps in place.

    Args:
        parameters: What the optimizer trains, by name.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._parameters_of = {name.replace(".", "_"): each for name, each in parameters.items()}
        for name, parameter in self._parameters_of.items():
            self.register_buffer(f"{name}_steps", torch.zeros(()))
            self.register_buffer(f"{name}_first", torch.zeros_like(parameter, requires_grad=False))
            self.register_buffer(f"{name}_second", torch.zeros_like(parameter, requires_grad=False))

    def give(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes these tensors the state of ``optimizer``."""
        for name, parameter in self._parameters_of.items():
            optimizer.state[parameter] = {
                "step": self.get_buffer(f"{name}_steps"),
                "exp_avg": self.get_buffer(f"{name}_first"),
                "exp_avg_sq": self.get_buffer(f"{name}_second"),
            }
