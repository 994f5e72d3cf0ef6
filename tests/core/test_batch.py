"""Packed batches: slices, padding and joining, against loops over texts."""

import torch

from clbench.core.batch import Batch, concatenate, masked_mean, pack, padded

LENGTHS = [2, 1, 3, 1, 2]


def batch() -> Batch:
    count = len(LENGTHS)
    return Batch(
        rows=torch.arange(sum(LENGTHS) * 2).view(-1, 2),
        lengths=torch.tensor(LENGTHS),
        targets=torch.arange(count),
        class_mask=torch.eye(count, dtype=torch.bool),
        experience=torch.arange(count) % 2,
    )


def texts(batch: Batch) -> list[list[list[int]]]:
    rows, out = batch.rows.tolist(), []
    for length in batch.lengths.tolist():
        out.append(rows[:length])
        rows = rows[length:]
    assert rows == []
    return out


def test_a_split_gives_every_text_once_in_order_without_copies():
    whole = batch()
    for size in (1, 2, 3, 5, 9):
        parts = list(whole.split(size))
        assert [len(each) for each in parts[:-1]] == [size] * (len(parts) - 1)
        assert [text for each in parts for text in texts(each)] == texts(whole)
        for name in ("targets", "class_mask", "experience"):
            joined = torch.cat([getattr(each, name) for each in parts])
            assert torch.equal(joined, getattr(whole, name))
        assert parts[-1].rows.untyped_storage().data_ptr() == whole.rows.untyped_storage().data_ptr()


def test_padding_is_that_of_a_loop():
    rows, mask = batch().padded()
    assert rows.shape == (5, 3, 2)
    for at, text in enumerate(texts(batch())):
        assert rows[at, : len(text)].tolist() == text
        assert rows[at, len(text) :].eq(0).all()
        assert mask[at].tolist() == [True] * len(text) + [False] * (3 - len(text))
    equal, mask = padded(torch.arange(6.0), torch.tensor([3, 3]))
    assert equal.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert mask.all()


def test_a_mean_does_not_see_padding():
    rows, mask = batch().padded()
    means = masked_mean(rows.float(), mask)
    assert means.tolist() == [torch.tensor(text).float().mean(0).tolist() for text in texts(batch())]


def test_joined_batches_hold_the_texts_of_both():
    first, second = batch().split(3)
    joined = concatenate(first, second)
    assert texts(joined) == texts(batch())
    assert torch.equal(joined.class_mask, batch().class_mask)


def test_packed_arrays_come_back():
    rows, lengths = pack([torch.tensor(text).numpy() for text in texts(batch())])
    assert torch.equal(rows, batch().rows)
    assert torch.equal(lengths, batch().lengths)
