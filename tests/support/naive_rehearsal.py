"""Continual learners of a linear softmax layer with a memory; see ``naive_methods``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from support.naive_methods import Naive
from torch import Tensor


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


class ERACE(ER):
    """The batch among its own classes, replayed texts among those seen."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.known: set[int] = set()

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None:
        super().stepped(x, y, before)
        self.known |= set(y.tolist())

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        loss = self.among(x, y, set(y.tolist()))
        if self.memory.items:
            seen = self.known | set(y.tolist())
            loss = loss + self.among(*self.memory.draw(len(x), self.generator)[:2], seen)
        return loss

    def among(self, x: Tensor, y: Tensor, classes: set[int]) -> Tensor:
        chosen = sorted(classes)
        return F.cross_entropy(self.logits(x)[:, chosen], torch.tensor([chosen.index(c) for c in y.tolist()]))


class GDumb(ER):
    """From the first weights again, on texts of the balanced memory alone."""

    balanced = True

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.start = self.copy()

    def begin(self, index: int, x: Tensor, y: Tensor) -> None:
        self.memory.add_all(list(zip(x, y, strict=True)), y.tolist(), self.generator)
        for weight, start in zip(self.w, self.start, strict=True):
            weight.data.copy_(start)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return Naive.loss(self, *self.memory.draw(len(x), self.generator))

    def stepped(self, x: Tensor, y: Tensor, before: list[Tensor]) -> None: ...
