"""Batches of encoded texts: what they hold, in which order, and what is charged for them."""

import numpy as np
import pytest
import torch

from clbench.core.costs import Meter
from clbench.data import batches
from clbench.data.batches import WINDOW, Batches, EncodedTexts, bucketed
from clbench.models.ragged import RaggedArray

COUNT = 23


def encoded(meter: Meter) -> EncodedTexts:
    """Texts of 1 to 4 rows, each of them the number of its text, with as many operations."""
    rows = [np.full((1 + at % 4, 3), at, np.float32) for at in range(COUNT)]
    return EncodedTexts(
        rows=RaggedArray.from_list(rows),
        targets=torch.arange(COUNT) % 5,
        experience=torch.arange(COUNT) % 2,
        class_mask=torch.tensor([[True, False] * 2 + [True], [False, True] * 2 + [True]]),
        flops=np.arange(COUNT),
        meter=meter,
    )


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
def test_batches_are_those_of_a_loop_over_texts_whatever_the_block(block_bytes, monkeypatch):
    monkeypatch.setattr(batches, "BLOCK_BYTES", block_bytes)
    meter = Meter()
    texts = encoded(meter)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    with meter.phase("train"):
        found = list(texts.batches(order, 4))
    assert [len(each) for each in found] == [4] * 5 + [3]
    for each, chosen in zip(found, order.split(4), strict=True):
        assert each.encoded
        assert each.targets.tolist() == [at % 5 for at in chosen.tolist()]
        assert each.experience.tolist() == [at % 2 for at in chosen.tolist()]
        assert torch.equal(each.class_mask, texts.class_mask[chosen % 2])
        assert each.lengths.tolist() == [1 + at % 4 for at in chosen.tolist()]
        expected = [float(at) for at in chosen.tolist() for _ in range(1 + at % 4)]
        assert each.rows[:, 0].tolist() == expected
    assert meter.costs["train"].prefix_flops == sum(range(COUNT))


def test_an_order_is_drawn_each_time_and_only_when_it_is_needed():
    drawn = []
    generator = torch.Generator().manual_seed(0)

    def draw():
        drawn.append(torch.randperm(COUNT, generator=generator))
        return drawn[-1]

    loader = Batches(encoded(Meter()), 4, draw, COUNT)
    assert len(loader) == 6
    iter(loader)
    assert drawn == []
    first, second = ([batch.rows[0, 0].item() for batch in loader] for _ in range(2))
    assert len(drawn) == 2
    assert first == drawn[0][::4].tolist() != second == drawn[1][::4].tolist()


def test_buckets_keep_every_text_in_its_window_and_put_like_lengths_together():
    generator = torch.Generator().manual_seed(0)
    count, size = 2 * WINDOW * 4 + 3, 4
    lengths = torch.randint(1, 100, (count,), generator=generator)
    order = torch.randperm(count, generator=generator)
    found = bucketed(order, lengths, size, generator)
    window = WINDOW * size
    for begin in range(0, count, window):
        part = slice(begin, begin + window)
        assert sorted(found[part].tolist()) == sorted(order[part].tolist())
    assert found[-3:].tolist() == order[-3:].tolist()

    def padding(places: torch.Tensor) -> int:
        return sum(int(each.max()) * len(each) for each in lengths[places].split(size)) - int(lengths.sum())

    assert padding(found) < padding(order) / 10
    firsts = lengths[found[:window:size]]
    assert not torch.equal(firsts, firsts.sort().values)  # batches come in random order


@pytest.mark.parametrize("first", [0, 1, 2, 5, 6])
def test_batches_go_on_in_the_middle_with_the_same_texts_and_costs(first, monkeypatch):
    for blocks in (1, 3):  # batches in a block
        monkeypatch.setattr(EncodedTexts, "block", lambda self, size=1, blocks=blocks: blocks * size)
        whole, parts = Meter(), Meter()
        generators = [torch.Generator().manual_seed(3) for _ in range(2)]
        loaders = [
            Batches(encoded(meter), 4, lambda g=g: torch.randperm(COUNT, generator=g), COUNT, g)
            for meter, g in zip((whole, parts), generators, strict=True)
        ]
        with whole.phase("train"):
            expected = [batch.rows for batch in loaders[0]]
        with parts.phase("train"):
            passed = loaders[1].starting()
            for _ in range(first):
                next(passed)
        state = loaders[1].state_dict()
        generators[1].manual_seed(9)
        loaders[1].load_state_dict(state)
        with parts.phase("train"):
            rest = [batch.rows for batch in loaders[1].starting(first)]
        assert all(torch.equal(*pair) for pair in zip(rest, expected[first:], strict=True))
        assert parts.costs["train"].prefix_flops == whole.costs["train"].prefix_flops
