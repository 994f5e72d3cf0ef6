"""The optimizer of DKVB's values: a step on the rows that a batch selects."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.benchmark.keys import HEADS, KEYS
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting
from clbench.core.device import keep_freed_memory
from clbench.methods.dkvb.optimizers import TINY, RowMean

ROWS, COLUMNS, LR, STEPS = 45_000, 20, 0.3, 20


def _table() -> tuple[nn.Parameter, Tensor, Tensor]:
    """Values, what each row has seen, and a gradient of ``ROWS`` of them."""
    generator = torch.Generator().manual_seed(0)
    weight = nn.Parameter(torch.randn(HEADS * KEYS, COLUMNS, generator=generator))
    rows = torch.randperm(HEADS * KEYS, generator=generator)[:ROWS].sort().values
    entries = torch.randn(ROWS, COLUMNS, generator=generator)
    gradient = torch.sparse_coo_tensor(
        rows.unsqueeze(0), entries, tuple(weight.shape), is_coalesced=True, check_invariants=False
    )
    return weight, torch.ones(HEADS * KEYS), gradient


@torch.no_grad()
def naive_step(weight: Tensor, mass: Tensor, gradient: Tensor, lr: float) -> None:
    """The formula of ``RowMean`` on all rows of a sparse gradient at once, by indexing."""
    rows, entries = gradient._indices()[0], gradient._values()
    norms = entries.norm(dim=1)
    mass[rows] += norms
    kept = weight[rows] * norms.unsqueeze(1) * (entries != 0)
    weight[rows] += (entries * -lr - kept) / mass[rows].clamp(min=TINY).unsqueeze(1)


def rows_naive(setting: Setting) -> Measured:
    """Per step."""
    torch.set_num_threads(1)  # as in a run: see ``one_thread``
    weight, mass, gradient = _table()

    def work() -> None:
        for _ in range(STEPS):
            naive_step(weight, mass, gradient, LR)

    return repeated(work, units=STEPS)


def rows_engine(setting: Setting) -> Measured:
    """Per step."""
    keep_freed_memory()
    torch.set_num_threads(1)
    weight, mass, gradient = _table()
    optimizer = RowMean([{"params": [weight], "lr": LR}], mass)
    weight.grad = gradient

    def work() -> None:
        for _ in range(STEPS):
            optimizer.step()

    return repeated(work, units=STEPS)


CASES = (
    Case(
        "value_rows",
        f"step of DKVB's optimizer on {ROWS} selected rows of {COLUMNS} values, against all rows at once",
        2,
        rows_naive,
        rows_engine,
    ),
)
