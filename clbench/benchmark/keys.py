"""The search for nearest keys, and their moving averages."""

from __future__ import annotations

from collections.abc import Callable

import torch

from clbench.benchmark import naive
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin, states_of
from clbench.core.device import compute_device
from clbench.methods.dkvb.codebook import move_keys, nearest_keys

HEADS, KEYS = 32, 4096
TEXTS, TEXTS_PER_STEP, DECAY = 128, 16, 0.2
"""Of an epoch of key initialization; a step has as many texts as in the public code of arXiv 2412.08528."""


def queries_of(setting: Setting) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries (N, H, d) of real tokens, and keys (H, K, d) that are queries of others."""
    encoder = begin(setting)
    states = torch.cat(states_of(encoder, setting, 320))
    order = torch.randperm(len(states), generator=torch.Generator().manual_seed(0))
    cut = states[order].view(len(states), HEADS, -1)
    keys = cut[:KEYS].transpose(0, 1).contiguous()
    return cut[KEYS : KEYS + 8192].contiguous(), keys


def assign_naive(setting: Setting) -> Measured:
    """Per token: ``torch.cdist`` and argmin, some queries at a time."""
    queries, keys = (each.to(compute_device()) for each in queries_of(setting))
    return repeated(lambda: naive.assign(queries, keys), units=len(queries))


def assign_engine(setting: Setting) -> Measured:
    """Per token: the exact search."""
    queries, keys = queries_of(setting)

    def work() -> None:
        for head in range(HEADS):
            nearest_keys(queries[:, head], keys[head])

    return repeated(work, units=len(queries))


def _epoch(
    setting: Setting, device: torch.device, step: Callable[[torch.Tensor, torch.Tensor], None]
) -> Measured:
    """Passes over texts by ``step(keys (H, K, d), queries (N, H, d))``, each from the same keys."""
    encoder = begin(setting)
    texts = states_of(encoder, setting, TEXTS)
    cut = torch.cat(texts).view(-1, HEADS, texts[0].shape[1] // HEADS).to(device)
    order = torch.randperm(max(KEYS, len(cut)), generator=torch.Generator().manual_seed(0))[:KEYS] % len(cut)
    start = cut[order.to(device)].transpose(0, 1).contiguous()
    lengths = [sum(map(len, texts[at : at + TEXTS_PER_STEP])) for at in range(0, TEXTS, TEXTS_PER_STEP)]

    def work() -> None:
        keys = start.clone()
        for queries in cut.split(lengths):
            step(keys, queries)

    return repeated(work, units=TEXTS)


def key_init_naive(setting: Setting) -> Measured:
    """Per text: all distances, and sums by one-hot assignments."""
    return _epoch(setting, compute_device(), lambda keys, queries: naive.move_keys(keys, queries, DECAY))


def key_init_engine(setting: Setting) -> Measured:
    """Per text: the exact search, and sums by index."""
    return _epoch(
        setting, torch.device("cpu"), lambda keys, queries: move_keys(keys, queries.unbind(1), DECAY)
    )


CASES = (
    Case(
        "assign",
        f"nearest of {KEYS} keys in {HEADS} heads, a token, against cdist and argmin in chunks",
        4,
        assign_naive,
        assign_engine,
    ),
    Case(
        "key_init",
        f"key initialization, a text, {TEXTS_PER_STEP} a step, against all distances and one-hot sums",
        4,
        key_init_naive,
        key_init_engine,
    ),
)
