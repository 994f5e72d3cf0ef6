"""The search for nearest keys."""

from __future__ import annotations

import torch

from clbench.benchmark import naive
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin, states_of
from clbench.core.device import compute_device
from clbench.methods.dkvb.codebook import nearest_keys

HEADS, KEYS = 32, 4096


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


CASES = (
    Case(
        "assign",
        f"nearest of {KEYS} keys in {HEADS} heads, a token, against cdist and argmin in chunks",
        4,
        assign_naive,
        assign_engine,
    ),
)
