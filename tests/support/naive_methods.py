"""Continual learners of a linear softmax layer, each as a plain loop that uses nothing of clbench.

They follow the papers and, where it says so, Avalanche or Mammoth. Gradients of penalties come from autograd;
importances are closed forms for a linear layer. Random draws are made in the order that clbench makes them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Batches = list[tuple[Tensor, Tensor]]


class Naive:
    """Fine-tuning with AdamW, a new one for each experience."""

    def __init__(self, weight: Tensor, bias: Tensor, rate: float, seen: list[list[int]]) -> None:
        self.w = [weight.detach().clone().requires_grad_(), bias.detach().clone().requires_grad_()]
        self.rate, self.columns = rate, seen
        self.generator = torch.Generator()

    def logits(self, x: Tensor, w: list[Tensor] | None = None) -> Tensor:
        weight, bias = self.w if w is None else w
        return x @ weight.T + bias

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.w, lr=self.rate, weight_decay=0.01)

    def learn(self, index: int, batches: Batches, texts: tuple[Tensor, Tensor]) -> None:
        self.begin(index, *texts)
        optimizer = self.optimizer()
        for x, y in batches:
            optimizer.zero_grad()
            self.loss(x, y).backward()
            self.project()
            before = self.copy()
            optimizer.step()
            self.stepped(x, y, before)
        self.end(index, *texts)

    def copy(self) -> list[Tensor]:
        return [each.detach().clone() for each in self.w]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(x), y)

    def begin(self, index: int, x: Tensor, y: Tensor) -> None: ...

    def project(self) -> None: ...

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None: ...

    def end(self, index: int, x: Tensor, y: Tensor) -> None: ...


class Penalized(Naive):
    """Naive with ``strength / 2 * sum F (w - a)^2`` for each pair of F and a that is kept."""

    strength = 1.0

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.kept: list[tuple[list[Tensor], list[Tensor]]] = []

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        loss = super().loss(x, y)
        for importance, anchor in self.kept:
            for f, w, a in zip(importance, self.w, anchor, strict=True):
                loss = loss + self.strength / 2 * (f * (w - a) ** 2).sum()
        return loss


class SeparateEWC(Penalized):
    """One penalty per experience, with F = mean over texts of p (1 - p) x^2."""

    strength = 100.0

    def fisher(self, x: Tensor) -> list[Tensor]:
        p = self.logits(x).detach().softmax(1)
        spread = p * (1 - p)
        return [spread.T @ x**2 / len(x), spread.mean(0)]

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        self.kept.append((self.fisher(x), self.copy()))


class OnlineEWC(SeparateEWC):
    """F <- 0.95 F + F_t, and the last anchor alone."""

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        new = self.fisher(x)
        if self.kept:
            new = [0.95 * old + each for old, each in zip(self.kept[0][0], new, strict=True)]
        self.kept = [(new, self.copy())]


class MAS(Penalized):
    """Importances are sums over experiences of the mean of |2 f x|."""

    strength = 0.1

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        f = self.logits(x).detach()
        new = [2 * (f.abs().T @ x.abs()) / len(x), 2 * f.abs().mean(0)]
        if self.kept:
            new = [old + each for old, each in zip(self.kept[0][0], new, strict=True)]
        self.kept = [(new, self.copy())]


class SI(Penalized):
    """The path integral of the gradient of the cross-entropy alone."""

    strength = 1.0

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.start, self.path = self.copy(), [torch.zeros_like(each) for each in self.w]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        self.gradient = torch.autograd.grad(Naive.loss(self, x, y), self.w)
        return super().loss(x, y)

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None:
        for path, gradient, old, new in zip(self.path, self.gradient, before, self.copy(), strict=True):
            path -= gradient * (new - old)

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        new = [
            path.clamp(min=0) / ((w - start) ** 2 + 0.1)
            for path, w, start in zip(self.path, self.copy(), self.start, strict=True)
        ]
        if self.kept:
            new = [old + each for old, each in zip(self.kept[0][0], new, strict=True)]
        self.kept = [(new, self.copy())]
        self.start, self.path = self.copy(), [torch.zeros_like(each) for each in self.w]


class LwF(Naive):
    """Distillation at temperature 2 over the columns seen, times 4: Avalanche's with alpha = 4."""

    teacher: list[Tensor] | None = None

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        loss = super().loss(x, y)
        if self.teacher is None:
            return loss
        new, old = (each[:, self.known] / 2 for each in (self.logits(x), self.logits(x, self.teacher)))
        p = old.softmax(1)
        return loss + 4 * (p * (p.log() - new.log_softmax(1))).sum(1).mean()

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        self.teacher, self.known = self.copy(), [c for each in self.columns[: index + 1] for c in each]


class SEQStar(Naive):
    """Rows of earlier classes do not move; nor does any shrink."""

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.w, lr=self.rate, weight_decay=0.0)

    def begin(self, index: int, x: Tensor, y: Tensor) -> None:
        self.fixed = [c for each in self.columns[:index] for c in each]

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None:
        for weight, old in zip(self.w, before, strict=True):
            weight.data[self.fixed] = old[self.fixed]


class CosineSEQStar(SEQStar):
    """Logits are ten times the cosine; rows that may move start with norm 1."""

    def begin(self, index: int, x: Tensor, y: Tensor) -> None:
        super().begin(index, x, y)
        for c, row in enumerate(self.w[0].data):
            if c not in self.fixed:
                row /= row.square().sum().sqrt()

    def logits(self, x: Tensor, w: list[Tensor] | None = None) -> Tensor:
        weight = self.w[0] if w is None else w[0]
        return 10 * (x @ weight.T) / (x.norm(dim=1, keepdim=True) * weight.norm(dim=1))
