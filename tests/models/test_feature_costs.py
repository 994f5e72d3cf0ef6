"""Frozen features: the costs that the cache reports for them."""

import time

import numpy as np
import pytest
import torch
from support.feature_texts import EVERY, ask, twice

from clbench.core.costs import Cost
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix


def test_seconds_count_each_text_once_and_are_the_recorded_ones_when_nothing_is_computed(encoder, tmp_path):
    selections = FrozenPrefix("states", twice, "twice")

    def requests(cache, at) -> float:
        for prefix in (
            selections,
            FrozenPrefix("states"),
            FrozenPrefix("mean"),
            selections,
            FrozenPrefix("cls"),
        ):
            ask(cache, encoder, prefix, [*at, *at])
        return cache.spent.seconds

    cold = FeatureCache(tmp_path, progress=False)
    assert cold.spent == Cost()
    started = time.perf_counter()
    total = requests(cold, EVERY)
    assert total < time.perf_counter() - started
    assert requests(cold, EVERY) == total > 0
    warm = FeatureCache(tmp_path, progress=False)
    assert requests(warm, EVERY) == pytest.approx(total, abs=1e-9)
    assert warm.texts_encoded == 0
    shares = [requests(FeatureCache(tmp_path, progress=False), [at]) for at in EVERY]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(total, abs=1e-9)
    encoding = FeatureCache(tmp_path, progress=False)
    ask(encoding, encoder, FrozenPrefix("states"))
    assert 0 < encoding.spent.seconds < total  # what follows the encoder has a cost of its own


def test_seconds_are_the_recorded_ones_when_poolings_were_encoded_one_after_the_other(encoder, tmp_path):
    def requests(pooling: str) -> float:
        cache = FeatureCache(tmp_path, progress=False)
        for each, at in (("mean", EVERY[::2]), ("states", EVERY), (pooling, EVERY)):
            ask(cache, encoder, FrozenPrefix(each), at)
        return cache.spent.seconds

    cold = requests("mean")
    assert [requests("mean"), requests("cls")] == pytest.approx([cold, cold], abs=1e-9)
    assert requests("states") != pytest.approx(cold, abs=1e-9)  # another pass, another duration
    for folder in tmp_path.glob("*-*"):
        keys = [key.tobytes() for path in folder.glob("shard-*/keys.npy") for key in np.load(path)]
        assert len(keys) == len(set(keys))  # no text is kept twice


def test_seconds_include_the_rows_that_went_into_tensors_that_are_read(encoder, tmp_path):
    def requests() -> float:
        cache = FeatureCache(tmp_path, progress=False)

        def make():
            return {
                "x": torch.from_numpy(np.concatenate(ask(cache, encoder, FrozenPrefix("states"), range(9))))
            }, Cost(1.0)

        cache.tensors("mean state", make)
        ask(cache, encoder, FrozenPrefix("mean"), range(6, 12))
        return cache.spent.seconds

    cold = requests()
    assert requests() == pytest.approx(cold, abs=1e-9)
    every = FeatureCache(tmp_path, progress=False)
    ask(every, encoder, FrozenPrefix("mean"), range(12))
    assert every.spent.seconds == pytest.approx(cold, abs=1e-9)
    assert every.texts_encoded == 0


def test_tensors_are_made_once_and_come_back_with_their_cost(tmp_path):
    calls = []

    def make():
        calls.append(1)
        strided = torch.arange(12.0).view(3, 4).T
        return {"keys": strided, "counts": torch.tensor([1, 2])}, Cost(1.25 + len(calls), 7, 9)

    cache = FeatureCache(tmp_path, progress=False)
    for each in (cache, cache, FeatureCache(tmp_path, progress=False)):
        tensors, cost = each.tensors("some keys", make)
        assert torch.equal(tensors["keys"], torch.arange(12.0).view(3, 4).T)
        assert torch.equal(tensors["counts"], torch.tensor([1, 2]))
        assert cost == Cost(2.25, 7, 9)
    assert len(calls) == 1
    assert cache.tensors("other keys", make)[1] == Cost(3.25, 7, 9)
