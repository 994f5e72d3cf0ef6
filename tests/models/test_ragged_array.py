"""Rows of texts of different lengths, taken at once and one by one."""

import numpy as np
import pytest

from clbench.models.ragged import RaggedArray


def ragged(draw: np.random.Generator, arrays: int, longest: int, shape: tuple[int, ...]) -> RaggedArray:
    """60 texts in some arrays, in an order unlike that of the arrays."""
    array = draw.integers(0, arrays, 60)
    lengths = draw.integers(min(longest, 1) if longest == 1 else 0, longest + 1, 60)
    start, values = np.zeros(60, np.int64), []
    for each in range(arrays):
        own = draw.permutation(np.flatnonzero(array == each))
        start[own] = np.cumsum(lengths[own]) - lengths[own]
        values.append(draw.normal(size=(int(lengths[own].sum()), *shape)).astype(np.float32))
    return RaggedArray(tuple(values), array, start, start + lengths)


@pytest.mark.parametrize("arrays", [1, 2, 7])
@pytest.mark.parametrize("longest", [1, 5, 300])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_packed_rows_are_those_of_each_text_one_after_the_other(arrays, longest, shape):
    draw = np.random.default_rng(0)
    rows = ragged(draw, arrays, longest, shape)
    for places in (
        [3],
        [5, 5, 2],
        range(60),
        list(range(7, 31)),
        draw.permutation(60),
        draw.integers(0, 60, 200).astype(np.int32),
    ):
        packed, lengths = rows.packed(places)
        assert packed.dtype == np.float32
        assert packed.flags.writeable
        assert np.array_equal(packed, np.concatenate([rows[at] for at in places]))
        assert np.array_equal(lengths, [len(rows[at]) for at in places])
        assert lengths.dtype == np.int64


def test_packed_rows_of_a_list_do_not_share_memory_with_it():
    rows = RaggedArray.from_list([np.arange(at + 1) for at in range(5)])
    packed, _ = rows.packed(range(1, 4))
    packed[:] = -1
    assert [row.tolist() for row in rows] == [list(range(at + 1)) for at in range(5)]
    assert rows.lengths.tolist() == [1, 2, 3, 4, 5]


def test_chunks_cover_every_text_once_in_order():
    rows = RaggedArray.from_list([np.zeros(size) for size in (3, 1, 9, 2, 2, 4)])
    assert list(rows.chunks(4)) == [range(2), range(2, 3), range(3, 5), range(5, 6)]
    assert list(rows.chunks(100)) == [range(6)]
