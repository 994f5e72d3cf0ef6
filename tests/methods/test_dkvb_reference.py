"""``--baseline.variant reference``: whole runs against the training loop of the public code, written out.

The loop follows drndr/dkvb_nlp: nearest keys by ``cdist``, keys that move to sums of one-hot assignments,
16 padded texts at a time, then one AdamW over all values for the whole stream. Keys, values and the order of
texts start as in the run; nothing of ``clbench.methods.dkvb`` takes part.
"""

import copy
from pathlib import Path

import pytest
import torch
from support.dkvb_runs import SCENARIOS, prepared, write_texts
from torch.nn import functional

from clbench.engine.build import Run
from clbench.engine.loop import execute
from clbench.models.frozen_prefix import FrozenPrefix

LR, DECAY, WEIGHT_DECAY, PASSES, BATCH = 0.01, 0.2, 0.01, 3, 16
PADDED = FrozenPrefix("padded")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for module in ("shared", "preflight"):
        monkeypatch.setattr(f"clbench.engine.{module}.find_scenario", SCENARIOS.__getitem__)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_texts(folder)
    return folder


def states_of(batch, max_tokens: int) -> torch.Tensor:
    """(B, T, D) from the packed rows of a batch of padded texts."""
    return batch.rows.view(len(batch), max_tokens, -1)


def nearest(states: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """(H, B * T): for each head and token, the nearest of its keys (H, K, d)."""
    heads, _, size = keys.shape
    queries = states.reshape(-1, heads, size).transpose(0, 1)
    return (-torch.cdist(queries, keys)).argmax(-1)


def public_keys(run: Run, keys: torch.Tensor) -> torch.Tensor:
    """Keys after three passes over the training texts of all experiences."""
    keys = keys.clone()
    heads, count, size = keys.shape
    for _ in range(PASSES):
        for batch in run.data.reader().batches(BATCH, prefix=PADDED):
            states = states_of(batch, run.data.protocol.max_tokens)
            assigned = functional.one_hot(nearest(states, keys), count).to(keys.dtype)  # (H, B * T, K)
            queries = states.reshape(-1, heads, size).transpose(0, 1)
            keys.lerp_(torch.einsum("hnd,hnc->hcd", queries, assigned), DECAY)
    return keys


def public_logits(states: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """(B, C): the mean over tokens and heads of the selected values (H, K, C)."""
    texts, tokens, _ = states.shape
    chosen = nearest(states, keys)  # (H, B * T)
    selected = torch.stack([values[head][chosen[head]] for head in range(len(keys))])
    return selected.view(len(keys), texts, tokens, -1).mean((0, 2))


def public_values(run: Run, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Values after the whole stream."""
    values = torch.nn.Parameter(values.view(*keys.shape[:2], -1).clone())
    optimizer = torch.optim.AdamW([values], lr=LR, weight_decay=WEIGHT_DECAY)
    run.data.prefix = lambda: PADDED
    for stage in range(len(run.stream.stages)):
        for batch in run.data.stage_train_dataloader(stage):
            optimizer.zero_grad()
            logits = public_logits(states_of(batch, run.data.protocol.max_tokens), keys, values)
            logits = logits.masked_fill(~batch.class_mask, -torch.inf)
            functional.cross_entropy(logits, batch.targets).backward()
            optimizer.step()
    return values.detach().flatten(0, 1)


@pytest.mark.parametrize("scenario", ["cil", "cil-aware", "dil"])
def test_the_reference_variant_ends_where_the_public_loop_ends(scenario, data, tmp_path):
    more = ("--scenario", scenario, "--lr", str(LR), ".variant", "reference", ".init_batch_size", str(BATCH))
    run = prepared(data, tmp_path, *more)
    start = copy.deepcopy(run.learner.network.state_dict())
    execute(run)
    network = run.learner.network
    keys = public_keys(run, start["codebooks.keys"])
    assert not torch.allclose(keys, start["codebooks.keys"], atol=0.1)
    torch.testing.assert_close(network.keys, keys, rtol=1e-4, atol=1e-4)
    values = public_values(run, keys, start["values.weight"])
    moved = (values - start["values.weight"]).abs().max()
    assert moved > 0.02
    torch.testing.assert_close(network.values.weight.detach(), values, rtol=1e-3, atol=1e-4)
    by_head = values.view(*keys.shape[:2], -1)
    run.data.prefix = lambda: network.prefix
    (selected,) = run.data.test_dataloader()
    run.data.prefix = lambda: PADDED
    (padded,) = run.data.test_dataloader()
    expected = public_logits(states_of(padded, run.data.protocol.max_tokens), keys, by_head)
    with torch.no_grad():
        torch.testing.assert_close(network(selected), expected, rtol=1e-3, atol=1e-4)
