"""Continual learners of a linear softmax layer, each as a plain loop that uses nothing of clbench.

They follow the papers and, where it says so, Avalanche or Mammoth. Gradients of penalties come from autograd;
importances are closed forms for a linear layer. Random draws are made in the order that clbench makes them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Batches = list[tuple[Tensor, Tensor]]


class Memory:
    """A reservoir, or the balanced one of Chrysakis and Moens 2020 (algorithm 1), on lists."""

    def __init__(self, capacity: int, *, balanced: bool = False) -> None:
        self.capacity, self.balanced = capacity, balanced
        self.items: list = []
        self.groups: list[int] = []  # of the stored items
        self.seen: list[int] = []  # the groups of all items so far
        self.full: set[int] = set()

    def largest(self) -> set[int]:
        most = max(map(self.groups.count, self.groups))
        return {each for each in self.groups if self.groups.count(each) == most}

    def add(self, item, group: int, draw: float) -> None:
        group = group if self.balanced else 0
        self.seen.append(group)
        if len(self.items) < self.capacity:
            self.items.append(item)
            self.groups.append(group)
        elif group in self.full:
            own, seen = self.groups.count(group), self.seen.count(group)
            if draw < own / seen:  # and then uniform over the instances of the group
                places = [place for place, each in enumerate(self.groups) if each == group]
                self.items[places[min(int(draw / (own / seen) * own), own - 1)]] = item
        else:
            largest = self.largest()
            places = [place for place, each in enumerate(self.groups) if each in largest]
            place = places[int(draw * len(places))]
            self.items[place], self.groups[place] = item, group
        if len(self.items) == self.capacity:
            self.full |= self.largest()

    def add_all(self, items: list, groups: list[int], generator: torch.Generator) -> None:
        draws = torch.rand(len(items), generator=generator, dtype=torch.float64).tolist()
        for item, group, draw in zip(items, groups, draws, strict=True):
            self.add(item, group, draw)

    def draw(self, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        chosen = torch.randperm(len(self.items), generator=generator)[:size].tolist()
        return tuple(map(torch.stack, zip(*(self.items[each] for each in chosen), strict=True)))


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


class ER(Naive):
    """A replayed batch of the same size in each step; the mean over both."""

    balanced = False

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.memory = Memory(20, balanced=self.balanced)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        if self.memory.items:
            old = self.memory.draw(len(x), self.generator)
            x, y = torch.cat([x, old[0]]), torch.cat([y, old[1]])
        return super().loss(x, y)

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None:
        kept = self.logits(x, before).detach()
        self.memory.add_all(list(zip(x, y, kept, strict=True)), y.tolist(), self.generator)


class BalancedER(ER):
    balanced = True


class DER(ER):
    """Mammoth's: the mean square of changes of logits, and for DER++ the cross-entropy on other texts."""

    alpha, beta = 0.5, 0.0

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        loss = Naive.loss(self, x, y)
        if self.memory.items:
            old = self.memory.draw(len(x), self.generator)
            loss = loss + self.alpha * F.mse_loss(self.logits(old[0]), old[2])
        if self.memory.items and self.beta:
            old = self.memory.draw(len(x), self.generator)
            loss = loss + self.beta * F.cross_entropy(self.logits(old[0]), old[1])
        return loss


class DERPP(DER):
    beta = 0.5


class AGEM(Naive):
    """Plain SGD; the memory holds equally many texts of each experience."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.memory = Memory(20, balanced=True)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.w, lr=self.rate)

    def project(self) -> None:
        if not self.memory.items:
            return
        x, y = self.memory.draw(64, self.generator)
        r = torch.cat([each.flatten() for each in torch.autograd.grad(Naive.loss(self, x, y), self.w)])
        g = torch.cat([each.grad.flatten() for each in self.w])
        if g @ r < 0:
            g = g - (g @ r) / (r @ r) * r
        for each, part in zip(self.w, g.split([each.numel() for each in self.w]), strict=True):
            each.grad.copy_(part.view_as(each))

    def end(self, index: int, x: Tensor, y: Tensor) -> None:
        for some, labels in zip(x.split(16), y.split(16), strict=True):
            self.memory.add_all(list(zip(some, labels, strict=True)), [index] * len(some), self.generator)
