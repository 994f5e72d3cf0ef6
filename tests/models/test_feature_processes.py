"""Several processes on one feature cache at once."""

import multiprocessing
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from test_feature_store import TEXTS, ask, encoded, same, size

import clbench.models.feature_cache
import clbench.models.frozen_prefix
from clbench.core.costs import Cost
from clbench.models.encoder import load_encoder
from clbench.models.feature_budget import Budget
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix

_barrier = None


def _start_worker(barrier) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(1)
    clbench.models.feature_store.SHARD_BYTES = 4 << 10
    clbench.models.frozen_prefix.TOKENS_PER_BATCH = {"cpu": 64, "cuda": 64}
    load_encoder("tiny").frozen()


@pytest.fixture(scope="module")
def workers():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, _start_worker, (context.Barrier(2),)) as pool:
        yield pool


def _fill(folder: Path, at: range) -> tuple[list[np.ndarray], int, int, float]:
    encoder, cache, made = load_encoder("tiny"), FeatureCache(folder, progress=False), []

    def make():
        time.sleep(0.2)
        made.append(1)
        return {"x": torch.ones(3)}, Cost(os.getpid() + time.time())

    _barrier.wait(60)
    rows = ask(cache, encoder, at)
    _barrier.wait(60)
    _, cost = cache.tensors("the same", make)
    return [np.array(own) for own in rows], cache.texts_encoded, len(made), cost.seconds


def test_two_processes_that_need_the_same_texts_share_the_work(workers, tmp_path):
    states = encoded(load_encoder("tiny"))
    for attempt in range(2):
        parts = range(30), range(15, 45)
        jobs = [workers.submit(_fill, tmp_path / str(attempt), at) for at in parts]
        found = [job.result(120) for job in jobs]
        assert all(same(rows, states, at) for (rows, *_), at in zip(found, parts, strict=True))
        assert sum(encodes for _, encodes, _, _ in found) == len(TEXTS)
        assert sum(made for _, _, made, _ in found) == 1
        assert found[0][3] == found[1][3]


def _churn(folder: Path, budget: int, seed: int) -> None:
    """Reads random texts and tensors through ten caches, one after the other, and checks what they give."""
    encoder, draw = load_encoder("tiny"), random.Random(seed)
    wanted = encoded(encoder)
    firsts = FrozenPrefix("states", lambda rows, lengths: (rows[:, :1].repeat(1, 2), lengths), "firsts")
    _barrier.wait(60)
    for _ in range(10):
        cache = FeatureCache(folder, budget=Budget(folder, budget), progress=False)
        for _ in range(3):
            at = draw.sample(range(len(TEXTS)), draw.randint(1, 12))
            assert same(ask(cache, encoder, at), wanted, at)
            rows = ask(cache, encoder, at, firsts)
            assert all(np.array_equal(own[:, 1], wanted[i][:, 0]) for own, i in zip(rows, at, strict=True))
            place = draw.randrange(3)
            made = cache.tensors(str(place), lambda place=place: ({"x": torch.full((50,), place)}, Cost(1.0)))
            assert made[0]["x"].tolist() == [place] * 50


@pytest.mark.parametrize("budgets", [(20_000, 1), (20_000, 20_000)])
def test_one_process_fills_while_another_evicts(budgets, workers, tmp_path):
    jobs = [workers.submit(_churn, tmp_path, budget, seed) for seed, budget in enumerate(budgets)]
    for job in jobs:
        job.result(120)
    assert size(tmp_path) <= max(budgets)
