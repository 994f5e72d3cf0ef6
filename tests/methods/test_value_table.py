"""Sums of selected values against torch's own, and row optimizers against loops over rows."""

import math

import pytest
import torch
from torch import nn

from clbench.methods.dkvb.learner import OPTIMIZERS
from clbench.methods.dkvb.optimizers import RowMean
from clbench.methods.dkvb.values import ValueTable

ROWS, SIZE = 7, 3
STEPS = ([1, 4, 1], [4, 5], [0, 1, 4, 4])
"""The rows that have a gradient in each step."""


@pytest.mark.parametrize("sparse", [True, False])
def test_sums_and_gradients_are_those_of_an_embedding_bag(sparse):
    generator = torch.Generator().manual_seed(0)
    table, bag = ValueTable(50, SIZE, sparse=sparse), nn.EmbeddingBag(50, SIZE, mode="sum")
    with torch.no_grad():
        table.weight.copy_(bag.weight)
    sizes = torch.tensor([5, 0, 12, 1])
    rows = torch.randint(30, (int(sizes.sum()),), generator=generator, dtype=torch.int32)
    weight = torch.randint(1, 4, rows.shape, generator=generator)
    wanted = torch.randn(len(sizes), SIZE, generator=generator)
    sums = table(rows, sizes, weight)
    (sums * wanted).sum().backward()
    starts = (sizes.cumsum(0) - sizes).int()
    expected = bag(rows, starts, per_sample_weights=weight.float())
    (expected * wanted).sum().backward()
    torch.testing.assert_close(sums, expected)
    gradient = table.weight.grad
    assert gradient.is_sparse == sparse
    if sparse:
        assert gradient._indices()[0].tolist() == sorted(set(rows.tolist()))
    torch.testing.assert_close(gradient.to_dense() if sparse else gradient, bag.weight.grad)


def by_hand(kind: str, weights: list[list[float]], gradients: list[dict[int, list[float]]], lr: float):
    """The optimizer as one loop over rows and numbers."""
    state = dict.fromkeys(range(ROWS), (0.0, 0))
    for step in gradients:
        for row, gradient in step.items():
            mean = sum(each * each for each in gradient) / SIZE
            amount, steps = state[row]
            steps += 1
            if kind == "adagrad":
                amount = [s + g * g for s, g in zip(amount or [0.0] * SIZE, gradient, strict=True)]
                gradient = [g / math.sqrt(s) for g, s in zip(gradient, amount, strict=True)]
                scale = 1.0
            elif kind == "row-adagrad":
                amount += mean
                scale = 1 / math.sqrt(amount)
            elif kind == "row-adam":
                amount = 0.999 * amount + 0.001 * mean
                scale = 1 / math.sqrt(amount / (1 - 0.999**steps))
            else:
                scale = 1.0
            state[row] = amount, steps
            weights[row] = [each - lr * scale * g for each, g in zip(weights[row], gradient, strict=True)]
    return weights


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("kind", ["adagrad", "sgd", "row-adagrad", "row-adam"])
def test_a_row_optimizer_is_its_formula_and_leaves_other_rows_alone(kind, sparse):
    generator = torch.Generator().manual_seed(0)
    weight = nn.Parameter(torch.randn(ROWS, SIZE, generator=generator))
    before = weight.detach().clone()
    optimizer, gradients = OPTIMIZERS[kind]([{"params": [weight], "lr": 0.3}]), []
    for rows in STEPS if sparse else [range(ROWS)] * 3:
        entries = torch.randn(len(rows), SIZE, generator=generator)
        gradient = torch.sparse_coo_tensor(torch.tensor([list(rows)]), entries, (ROWS, SIZE)).coalesce()
        dense = gradient.to_dense()
        gradients.append({row: dense[row].tolist() for row in set(rows)})
        weight.grad = gradient if sparse else dense
        optimizer.step()
    expected = by_hand(kind, before.tolist(), gradients, 0.3)
    torch.testing.assert_close(weight.detach(), torch.tensor(expected), atol=1e-5, rtol=0)
    if sparse:
        assert torch.equal(weight[[2, 3, 6]], before[[2, 3, 6]])


@pytest.mark.parametrize("made", [OPTIMIZERS[kind] for kind in ("adagrad", "sgd", "row-adagrad", "row-adam")])
def test_a_gradient_of_zero_moves_nothing(made):
    weight = nn.Parameter(torch.ones(ROWS, SIZE))
    weight.grad = torch.zeros(ROWS, SIZE)
    made([{"params": [weight]}]).step()
    assert torch.equal(weight, torch.ones(ROWS, SIZE))


def test_a_row_is_the_mean_of_its_gradients_over_the_sum_of_their_norms_whoever_goes_on():
    generator = torch.Generator().manual_seed(0)
    table = ValueTable(ROWS, SIZE, sparse=True)
    table.keep_mass()
    sums, norms = torch.zeros(ROWS, SIZE), torch.zeros(ROWS)
    for rows in STEPS:
        entries = torch.randn(len(rows), SIZE, generator=generator)
        gradient = torch.sparse_coo_tensor(torch.tensor([rows]), entries, (ROWS, SIZE)).coalesce()
        sums += gradient.to_dense()
        norms += gradient.to_dense().norm(dim=1)
        table.weight.grad = gradient
        RowMean([{"params": [table.weight], "lr": 0.3}], table.mass).step()  # a new one for each experience
    expected = -0.3 * sums / norms.clamp(min=1e-30).unsqueeze(1)
    torch.testing.assert_close(table.weight.detach(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(table.mass, norms)
    assert not table.weight[[2, 3, 6]].any()
    assert set(table.state_dict()) == {"weight", "mass"}


def test_columns_of_other_tasks_stay_bit_for_bit_while_a_row_learns():
    table = ValueTable(ROWS, SIZE, sparse=True)
    table.keep_mass()
    for columns in ([1.0, -1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, -1.0]):
        table.weight.grad = torch.sparse_coo_tensor(
            torch.tensor([[4]]), torch.tensor([columns]), (ROWS, SIZE)
        )
        RowMean([{"params": [table.weight], "lr": 1.0}], table.mass).step()
    first, last = -1 / 2**0.5, -2 / (2**0.5 + 2)
    last += (1 - last) / (2**0.5 + 3)
    torch.testing.assert_close(table.weight[4].detach(), torch.tensor([first, -first, last]))
