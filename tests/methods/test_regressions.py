"""RanPAC's choice of ridge, ACIL, AIR and LoRanPAC against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from support.formula_parts import Texts, context, features, part

from baselines.acil import ACIL
from baselines.air import AIR
from baselines.loranpac import LoRanPAC
from baselines.ranpac import RanPAC
from clbench.methods.ridge import ridge_of_last_texts

TEST = features(9, seed=2)


def learnt(learner, batch, *ends: int):
    """The learner after experiences that end before these texts, and before the last one."""
    for at in np.split(np.arange(len(batch)), ends):
        learner.end_experience(None, Texts(part(batch, slice(at[0], at[-1] + 1))))
    return learner


def hidden(learner, batch) -> np.ndarray:
    """H (n, M), by the formula."""
    x, w = batch.rows.double().numpy(), learner.projection.double().numpy()
    return np.maximum(x @ w, 0) if w.size else x


def one_hot(batch) -> np.ndarray:
    return np.eye(3)[batch.targets.numpy()]


def uneven(count: int):
    """Texts of which a class has about 3 of 4, and whose features tell a little about it."""
    batch = features(count, seed=1)
    batch.targets[torch.rand(count, generator=torch.Generator().manual_seed(3)) < 0.6] = 0
    batch.rows.add_(0.5 * torch.eye(3, batch.rows.shape[1])[batch.targets])
    return batch


@pytest.mark.parametrize("dimensions", [0, 20, 50])
@pytest.mark.parametrize("gamma", [0.1, 7.0])
def test_acil_is_scikit_learns_ridge_on_all_texts_at_once(dimensions, gamma):
    train = uneven(700)  # more than one update per experience
    learner = learnt(ACIL(context(), dimensions, gamma), train, 10, 330)
    ridge = Ridge(alpha=gamma, fit_intercept=False, solver="cholesky")
    ridge.fit(hidden(learner, train), one_hot(train))
    np.testing.assert_allclose(learner.weight.numpy(), ridge.coef_, atol=1e-8)
    np.testing.assert_allclose(learner(TEST).numpy(), ridge.predict(hidden(learner, TEST)), atol=1e-5)


def test_acil_keeps_the_inverse_of_the_regularized_gram_matrix():
    train = uneven(300)
    learner = learnt(ACIL(context(), 20, 0.5), train, 100)
    h = hidden(learner, train)
    np.testing.assert_allclose(learner.inverse.numpy(), np.linalg.inv(h.T @ h + 0.5 * np.eye(20)), atol=1e-9)


@pytest.mark.parametrize("dimensions", [0, 20])
def test_air_is_scikit_learns_ridge_with_classes_of_equal_weight(dimensions):
    train = uneven(200)
    learner = learnt(AIR(context(), dimensions, 2.0), train, 30, 90)  # each class comes in each experience
    counts = np.bincount(train.targets, minlength=3)
    weights = 3 / counts / (1 / counts).sum()
    assert counts.max() > 3 * counts.min()
    assert weights.mean() == pytest.approx(1)
    ridge = Ridge(alpha=2.0, fit_intercept=False, solver="cholesky")
    ridge.fit(hidden(learner, train), one_hot(train), sample_weight=weights[train.targets])
    np.testing.assert_allclose(learner(TEST).numpy(), ridge.predict(hidden(learner, TEST)), atol=1e-5)


def test_air_gives_no_weight_to_classes_to_come():
    train = uneven(120)
    train.targets.clamp_(max=1)
    learner = learnt(AIR(context(), 0, 2.0), train, 50)
    counts = np.bincount(train.targets)
    weights = 2 / counts / (1 / counts).sum()
    ridge = Ridge(alpha=2.0, fit_intercept=False, solver="cholesky")
    ridge.fit(train.rows.numpy(), one_hot(train)[:, :2], sample_weight=weights[train.targets])
    np.testing.assert_allclose(learner(TEST)[:, :2].numpy(), ridge.predict(TEST.rows.numpy()), atol=1e-5)


def truncated(h: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest left singular vectors and values of H^T."""
    u, s, _ = np.linalg.svd(h.T, full_matrices=False)
    return u[:, :kept], s[:kept]


@pytest.mark.parametrize(("rank", "truncation"), [(1000, 0.0), (1000, 0.25), (15, 0.25)])
@pytest.mark.parametrize("ends", [(), (25, 50)])
def test_loranpac_is_the_pseudoinverse_of_a_matrix_that_is_truncated_after_each_experience(
    rank, truncation, ends
):
    train = uneven(70)
    learner = learnt(LoRanPAC(context(), 120, rank, truncation), train, *ends)
    h, kept = hidden(learner, train), np.zeros((120, 0))
    for begin, end in zip((0, *ends), (*ends, 70), strict=True):
        size = min(rank, round(end * (1 - truncation)))
        u, s = truncated(np.concatenate([kept.T, h[begin:end]]), size)
        kept = u * s
    weight = u @ np.diag(s**-2) @ u.T @ h.T @ one_hot(train)
    expected = hidden(learner, TEST) @ weight
    np.testing.assert_allclose(learner(TEST).numpy(), expected, rtol=1e-4, atol=1e-4)
    if not truncation:  # nothing is cut off: least squares
        np.testing.assert_allclose(weight, np.linalg.pinv(h) @ one_hot(train), atol=1e-8)


def test_loranpac_with_fewer_features_than_texts_is_least_squares():
    train = uneven(90)
    learner = learnt(LoRanPAC(context(), 20, 1000, 0.0), train, 40)
    solution = np.linalg.lstsq(hidden(learner, train), one_hot(train), rcond=None)[0]
    np.testing.assert_allclose(learner.weight.numpy().T, solution, atol=1e-8)


def chosen(h: np.ndarray, y: np.ndarray) -> float:
    """The ridge that RanPAC's authors choose, by a regression for each."""
    first = int(0.8 * len(h))
    errors = {}
    for ridge in 10.0 ** np.arange(-8, 9):
        gram = h[:first].T @ h[:first] + ridge * np.eye(h.shape[1])
        weight = np.linalg.solve(gram, h[:first].T @ y[:first])
        errors[ridge] = np.square(h[first:] @ weight - y[first:]).mean()
    return min(errors, key=errors.get)


@pytest.mark.parametrize("count", [40, 400])  # fewer and more texts than features
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_ridge_of_the_paper_has_the_least_error_on_the_last_fifth(count, scale):
    train = uneven(count)
    h = scale * np.maximum(train.rows.double().numpy() @ np.random.default_rng(0).normal(size=(32, 60)), 0)
    found = ridge_of_last_texts(torch.from_numpy(h), torch.from_numpy(one_hot(train)))
    assert found == chosen(h, one_hot(train))
    assert 1e-8 < found < 1e8


def test_ranpac_of_the_paper_takes_the_ridge_of_the_last_experience_for_all_texts():
    train = uneven(300)
    train.rows[200:].add_(0.3 * features(100, seed=8).rows)
    train.rows.mul_(0.1)
    learner = learnt(RanPAC(context(), 60, choice="experience"), train, 100, 200)
    h = hidden(learner, train)
    ridge = chosen(h[200:], one_hot(train)[200:])
    assert ridge not in (chosen(h, one_hot(train)), RanPAC(context(), 60, choice="experience").ridge)
    fitted = Ridge(alpha=ridge, fit_intercept=False, solver="cholesky").fit(h, one_hot(train))
    np.testing.assert_allclose(learner(TEST).numpy(), fitted.predict(hidden(learner, TEST)), atol=1e-5)


@pytest.mark.parametrize("baseline", [ACIL, AIR])
def test_the_order_of_the_stream_does_not_matter(baseline):
    train = uneven(60)
    other = part(train, torch.randperm(60, generator=torch.Generator().manual_seed(0)))
    one, two = (
        learnt(baseline(context(seed=1), 40), each, *ends) for each, ends in ((train, ()), (other, (9,)))
    )
    torch.testing.assert_close(one(TEST), two(TEST), atol=1e-5, rtol=1e-5)
