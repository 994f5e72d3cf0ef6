"""Codebooks: nearest keys and moving averages."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.naive_dkvb import naive_nearest

from clbench.methods.dkvb import codebook
from clbench.methods.dkvb.codebook import move_keys, nearest_in_chunks, nearest_keys


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch):
    """The way that queries take on a GPU, without one."""
    if request.param == "cuda":
        monkeypatch.setattr(codebook, "compute_device", lambda: torch.device("cuda"))
        monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [1, 4, 12, 33])
def test_nearest_keys_are_those_of_all_distances(size, count):
    keys, queries = random(50, size), random(200, size, seed=1)
    expected = torch.tensor([naive_nearest(query, keys, count) for query in queries])
    assert torch.equal(nearest_keys(queries, keys, count), expected)
    assert torch.equal(nearest_in_chunks(queries, keys, count, chunk=32), expected)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("copies", [2, 5])
def test_of_equal_keys_those_of_lowest_index_are_nearest(copies, count):
    for seed in range(10):
        order = torch.randperm(20 * copies, generator=torch.Generator().manual_seed(seed))
        keys, queries = random(20, 8, seed=seed).repeat(copies, 1)[order], random(40, 8, seed=99 + seed)
        expected = torch.tensor([naive_nearest(query, keys, count) for query in queries])
        assert torch.equal(nearest_keys(queries, keys, count), expected)
        if count == 1:
            assert torch.equal(nearest_in_chunks(queries, keys), expected)


def test_unequal_keys_of_few_digits_are_not_taken_for_equal_ones(monkeypatch):
    """States from bfloat16 are multiples of a small number: sums of them with simple weights often meet."""
    keys = random(4000, 12).bfloat16().float()
    assert len(keys.unique(dim=0)) == len(keys)
    monkeypatch.setattr(torch, "unique", None)  # the exact check, which is slow, is not needed
    queries = random(50, 12, seed=1)
    expected = torch.cdist(queries.double(), keys.double()).argmin(1, keepdim=True)
    assert torch.equal(nearest_keys(queries, keys), expected)


@pytest.mark.usefixtures("device")
def test_keys_that_are_all_equal_are_chosen_in_order_and_no_queries_choose_none():
    assert nearest_keys(random(5, 4), torch.ones(9, 4), 3).tolist() == [[0, 1, 2]] * 5
    assert nearest_keys(random(0, 4), torch.ones(9, 4), 3).shape == (0, 3)


def naive_move(keys, queries, decay, update):
    """One key at a time."""
    nearest = [naive_nearest(query, keys, 1)[0] for query in queries]
    moved = keys.clone()
    for place in range(len(keys)):
        assigned = [query for query, at in zip(queries, nearest, strict=True) if at == place]
        if update == "reference":
            moved[place] = (1 - decay) * keys[place] + decay * sum(assigned, torch.zeros(keys.shape[1]))
        elif assigned:
            moved[place] = (1 - decay) * keys[place] + decay * torch.stack(assigned).mean(0)
    return moved


@pytest.mark.parametrize("update", ["mean", "reference"])
def test_all_codebooks_move_as_each_of_them_one_key_at_a_time(update):
    keys, queries = random(3, 20, 4), [random(count, 4, seed=count) for count in (30, 0, 7)]
    expected = torch.stack([naive_move(*each, 0.3, update) for each in zip(keys, queries, strict=True)])
    move_keys(keys, queries, 0.3, update)
    torch.testing.assert_close(keys, expected, atol=1e-6, rtol=0)


def test_keys_move_to_the_mean_of_their_queries_and_unused_ones_stay():
    keys = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [99.0, 99.0]]])
    move_keys(keys, [torch.tensor([[1.0, 0.0], [0.0, 1.0], [12.0, 0.0]])], decay=0.2)
    expected = torch.tensor([[[0.1, 0.1], [10.4, 0.0], [99.0, 99.0]]])  # 0.8 key + 0.2 mean
    torch.testing.assert_close(keys, expected)
    assert torch.equal(keys[0, 2], torch.tensor([99.0, 99.0]))


def test_as_in_the_public_code_keys_move_to_the_sum_of_their_queries_and_unused_ones_shrink():
    keys = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [99.0, 99.0]]])
    move_keys(keys, [torch.tensor([[1.0, 0.0], [0.0, 1.0], [12.0, 0.0]])], 0.2, "reference")
    expected = torch.tensor([[[0.2, 0.2], [10.4, 0.0], [79.2, 79.2]]])  # 0.8 key + 0.2 sum
    torch.testing.assert_close(keys, expected)


def test_without_queries_keys_stay_and_in_the_public_code_shrink():
    for update, factor in (("mean", 1.0), ("reference", 0.75)):
        keys = random(2, 6, 3)
        move_keys(keys, [torch.empty(0, 3)] * 2, 0.25, update)
        torch.testing.assert_close(keys, factor * random(2, 6, 3))


@pytest.mark.parametrize("factor", [1.0, 0.37])
@pytest.mark.parametrize("by_chance", [False, True])  # whether keys have equal projections that differ
def test_the_first_of_equal_keys_is_that_of_a_loop(factor, by_chance, monkeypatch):
    if by_chance:
        zeros = SimpleNamespace(standard_normal=lambda size: np.zeros(size))
        monkeypatch.setattr(np.random, "default_rng", lambda seed: zeros)
    generator = torch.Generator().manual_seed(0)
    for size in range(1, 9):
        keys = factor * torch.randint(-2, 3, (50, size), generator=generator).float()
        keys[::2] = torch.where(keys[::2] == 0, -keys[::2], keys[::2])  # -0 equals 0
        loop = [min(j for j in range(50) if (keys[j] == keys[i]).all()) for i in range(50)]
        assert codebook._first_of_equals(keys).tolist() == loop
