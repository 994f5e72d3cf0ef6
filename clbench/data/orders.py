"""The order of the experiences of a run: declared, published, or drawn with a seed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Hashable, Sequence

from clbench.core.drift import Drift
from clbench.core.errors import UserError
from clbench.core.scenario import Part, Scenario

LARGEST_SEED = 9_999
"""Of a drawn order: that of a seed depends on those of all smaller ones."""
_ATTEMPTS = 1_000
_SHOWN = 3
"""Labels in the name of an experience."""

Order = tuple[Part, ...]


def arrange(scenario: Scenario, order: int | str) -> Order:
    """The experiences of a scenario in the order that ``--order`` names.

    A number is a published order, 0 the declared one where none is published. ``random:SEED`` permutes the
    experiences; ``classes:SEED`` permutes all classes and divides them into experiences of the declared
    sizes. Different seeds give different orders, and none that is published or declared: two names of orders
    are never the same stream.

    Raises:
        UserError: There is no such order.
    """
    published = published_orders(scenario)
    kind, _, seed = str(order).partition(":")
    draws = {"random": _permuted} | ({"classes": _regrouped} if _has_classes(scenario) else {})
    if kind in draws and seed.isdecimal() and seed.isascii() and int(seed) <= LARGEST_SEED:
        return _drawn(scenario, published, draws[kind], int(seed), kind)
    if str(order).isdecimal() and str(order).isascii() and int(order) < len(published):
        return published[int(order)]
    known = "0 (as declared)"
    if scenario.orders or scenario.class_orders:
        known = f"0 to {len(published) - 1} (published)"
    names = " and ".join(f"{name}:SEED" for name in draws)
    raise UserError(
        f"unknown order '{order}' of scenario '{scenario.name}'; known: {known} and {names}, SEED 0 to "
        f"{LARGEST_SEED}"
    )


def published_orders(scenario: Scenario) -> list[Order]:
    """The orders that have a number: the published ones, or the declared one alone."""
    if scenario.class_orders:
        return [_grouped(scenario, order) for order in scenario.class_orders]
    by_name = {part.name: part for part in scenario.parts}
    return [tuple(by_name[name] for name in order) for order in scenario.orders] or [scenario.parts]


def shuffled(names: Sequence[str], seed: int, attempt: int = 0) -> tuple[str, ...]:
    """``names`` sorted by BLAKE2b of ``SEED.ATTEMPT/NAME``: an order that any program can draw again."""

    def place(name: str) -> bytes:
        return hashlib.blake2b(f"{seed}.{attempt}/{name}".encode(), digest_size=16).digest()

    return tuple(sorted(names, key=place))


def divided(labels: Sequence[str], sizes: Sequence[int], dataset: str) -> Order:
    """Labels as experiences of these sizes."""
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    groups = [tuple(labels[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    return tuple(Part(group_name(group), dataset, group) for group in groups)


def visited(passes: Sequence[Sequence[Part]]) -> Order:
    """Experiences that come once in each pass, each time with other texts: the n-th pass has the n-th share.

    From the second pass on their names have its number.
    """
    return tuple(
        dataclasses.replace(part, name=f"{part.name}-{at + 1}" if at else part.name, share=(at, len(passes)))
        for at, each in enumerate(passes)
        for part in each
    )


def drifting(parts: Sequence[Part], drift: Drift) -> Order:
    """Experiences whose texts are transformed more and more: not at all in the first one."""
    return tuple(dataclasses.replace(part, drift=drift.at(at, len(parts))) for at, part in enumerate(parts))


def group_name(labels: Sequence[str]) -> str:
    """The name of an experience with these labels: all of a few, the first of many."""
    return "+".join(labels) if len(labels) <= _SHOWN else f"{labels[0]}+{len(labels) - 1} more"


def _drawn(
    scenario: Scenario,
    published: Sequence[Order],
    draw: Callable[[Scenario, int, int], Order],
    seed: int,
    kind: str,
) -> Order:
    """The first order drawn with ``seed`` that is neither published nor that of a smaller seed."""
    taken = {_content(order) for order in published}
    parts: Order = ()
    for each in range(seed + 1):
        drawn = (draw(scenario, each, attempt) for attempt in range(_ATTEMPTS))
        parts = next((order for order in drawn if _content(order) not in taken), ())
        if not parts:
            left = f"{kind}:0 to {kind}:{each - 1}" if each else "the numbered ones"
            raise UserError(f"scenario '{scenario.name}' has no further order '{kind}:{seed}'; use {left}")
        taken.add(_content(parts))
    return parts


def _content(order: Order) -> Hashable:
    return tuple(
        (part.dataset, part.domain, frozenset(part.labels), part.share, part.drift) for part in order
    )


def _permuted(scenario: Scenario, seed: int, attempt: int) -> Order:
    by_name = {part.name: part for part in scenario.parts}
    return tuple(by_name[name] for name in shuffled(list(by_name), seed, attempt))


def _regrouped(scenario: Scenario, seed: int, attempt: int) -> Order:
    return _grouped(scenario, shuffled(scenario.columns, seed, attempt))


def _grouped(scenario: Scenario, labels: Sequence[str]) -> Order:
    sizes = [len(part.labels) for part in scenario.parts]
    return divided(labels, sizes, scenario.parts[0].dataset)


def _has_classes(scenario: Scenario) -> bool:
    """Whether its classes can be permuted apart from its experiences."""
    alike = len({(part.dataset, part.domain, part.share, part.drift) for part in scenario.parts}) == 1
    grouped = any(len(part.labels) > 1 for part in scenario.parts) and len(scenario.parts) > 1
    return scenario.kind == "class" and alike and grouped and not scenario.repeats and not scenario.classes
