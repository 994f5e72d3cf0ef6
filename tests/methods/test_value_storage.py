"""How values and keys are stored: fewer bytes, and what is computed from them."""

import pytest
import torch
from support.bottlenecks import LENGTHS, Texts, context

from baselines.dkvb import DKVB
from clbench.core.scenario import Experience
from clbench.methods.dkvb.codebooks import Codebooks, encoded
from clbench.methods.dkvb.values import ValueTable

ROWS, SIZE = 9, 3


def table(**options):
    """A table of which rows 2 and 5 have a value, and row 7 a mass alone."""
    made = ValueTable(ROWS, SIZE, sparse=True, **options)
    made.keep_mass()
    with torch.no_grad():
        made.weight[[2, 5]] = torch.randn(2, SIZE, generator=torch.Generator().manual_seed(0))
        made.weight[7, 1] = -0.0
        made.mass[[5, 8]] = torch.tensor([2.0, 3.0])
    return made


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_selected_rows_are_stored_and_come_back_bit_for_bit(dtype):
    made = table(stored="selected", dtype=dtype)
    for rounded in (False, True):
        if rounded:
            made.settle()
        state = made.state_dict()
        assert state["rows"].tolist() == [2, 5, 7, 8]
        size = 2 if rounded and dtype == "bfloat16" else 4
        assert sum(each.nbytes for each in state.values()) == 4 * (4 + SIZE * size + 4)
        other = ValueTable(ROWS, SIZE, sparse=True, stored="selected", dtype=dtype)
        other.keep_mass()
        torch.nn.init.ones_(other.weight)
        other.load_state_dict(state)
        for one, two in zip(made.tables(), other.tables(), strict=True):
            assert torch.equal(one.view(torch.int32), two.view(torch.int32))


def test_all_rows_are_stored_unless_otherwise_said_and_values_of_half_size_where_that_loses_nothing():
    made = table()
    assert {name: tuple(each.shape) for name, each in made.state_dict().items()} == {
        "weight": (ROWS, SIZE),
        "mass": (ROWS,),
    }
    made = table(dtype="bfloat16")
    exact = made.weight.detach().clone()
    assert made.state_dict()["weight"].dtype == torch.float32
    made.settle()
    assert torch.equal(made.weight, exact.bfloat16().float())
    assert made.state_dict()["weight"].dtype == torch.bfloat16
    other = ValueTable(ROWS, SIZE, sparse=True, dtype="bfloat16")
    other.keep_mass()
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.weight, made.weight)


@pytest.mark.parametrize("stored", ["all", "selected"])
def test_carried_bytes_are_those_of_what_is_stored(stored, encoder):
    learner = DKVB(
        context(encoder), heads=4, keys=64, initialization="incremental", stored=stored, key_dtype="int8"
    )
    learner.begin_experience(Experience(0, "first", (), {}), Texts(encoder, LENGTHS, learner.network))
    with torch.no_grad():
        learner.network.values.weight[[3, 100]] = 1.0
    carried = learner.carried_bytes()
    assert carried["keys"] == 4 * 64 * (8 + 4)  # a byte for each number, and a scale
    rows = 256 if stored == "all" else 2
    assert carried["values"] == rows * (3 + 1) * 4 + (0 if stored == "all" else 2 * 4)
    assert carried["total"] == carried["keys"] + carried["values"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_keys_are_read_as_the_nearest_numbers_of_their_type(dtype):
    keys = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    keys[1, 2] = 0
    books = Codebooks(keys.clone(), dtype)
    for head in range(2):
        for key in range(5):
            exact = keys[head, key]
            largest = max(abs(float(each)) for each in exact)
            unit = largest / 127
            expected = {
                "float32": exact,
                "bfloat16": exact.bfloat16().float(),
                "int8": torch.tensor([round(float(each) / unit) * unit if unit else 0.0 for each in exact]),
            }[dtype]
            torch.testing.assert_close(books.read()[head, key], expected)
    assert books.keys.element_size() == {"float32": 4, "bfloat16": 2, "int8": 1}[dtype]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_writing_moves_the_keys_that_differ_and_no_others(dtype):
    keys = torch.randn(2, 2000, 4, generator=torch.Generator().manual_seed(0))
    books = Codebooks(keys.clone(), dtype)
    before = {name: each.clone() for name, each in books.state_dict().items()}
    moved = books.read().clone()
    moved[1, 3] += 0.7
    books.write(moved)
    for name, each in books.state_dict().items():
        differ = (each != before[name]).any(2)
        assert differ.nonzero().tolist() in ([[1, 3]], [])  # a scale can be the same by chance
    expected, scale = encoded(moved[1, 3], dtype)
    assert torch.equal(books.keys[1, 3], expected)
    assert scale is None or torch.equal(books.keys_scale[1, 3], scale)


def test_a_query_selects_the_nearest_key_as_it_is_stored():
    keys = torch.randn(1, 50, 4, generator=torch.Generator().manual_seed(0))
    queries = torch.randn(3000, 4, generator=torch.Generator().manual_seed(1))
    exact = Codebooks(keys.clone())
    differ = 0
    for dtype in ("bfloat16", "int8"):
        books = Codebooks(keys.clone(), dtype)
        found = books.nearest(queries, 0, books.read())[:, 0]
        distances = torch.cdist(queries.double(), books.read()[0].double())
        assert torch.equal(found, distances.argmin(1))
        differ += int((found != exact.nearest(queries, 0, exact.read())[:, 0]).sum())
    assert 0 < differ < 300
