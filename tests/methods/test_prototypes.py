"""NCM, SLDA and RanPAC against scikit-learn and direct computations."""

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid
from support.formula_parts import Texts, context, features, part

from baselines.ncm import NCM
from baselines.ranpac import RanPAC
from baselines.slda import SLDA


def learnt(learner, batch, pieces: int = 3):
    """The learner after a stream of ``pieces`` experiences, and its logits on other texts."""
    for at in np.array_split(np.arange(len(batch)), pieces):
        learner.end_experience(None, Texts(part(batch, slice(at[0], at[-1] + 1))))
    return learner


def arrays(batch):
    return batch.rows.double().numpy(), batch.targets.numpy()


def test_ncm_is_the_cosine_to_each_class_mean():
    train, test = features(60, seed=1), features(9, seed=2)
    x, y = arrays(train)
    means = np.stack([x[y == label].mean(0) for label in range(3)])
    new = arrays(test)[0]
    cosines = new @ means.T / np.linalg.norm(new, axis=1)[:, None] / np.linalg.norm(means, axis=1)
    np.testing.assert_allclose(learnt(NCM(context()), train)(test).numpy(), cosines, atol=1e-6)


def test_euclidean_ncm_is_scikit_learns_nearest_centroid():
    train, test = features(60, seed=1), features(50, seed=2)
    expected = NearestCentroid().fit(*arrays(train)).predict(arrays(test)[0])
    assert (learnt(NCM(context(), metric="euclidean"), train)(test).argmax(1).numpy() == expected).all()


@pytest.mark.parametrize("shrinkage", [0.01, 0.5, 1.0])
def test_slda_is_scikit_learns_lda_without_its_prior(shrinkage):
    train, test = features(200, seed=1), features(9, seed=2)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(*arrays(train))
    expected = lda.decision_function(arrays(test)[0]) - np.log(lda.priors_)
    logits = learnt(SLDA(context(), shrinkage=shrinkage), train)(test).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [12, 60, 400])
def test_the_default_shrinkage_of_slda_is_scikit_learns_oas_of_class_centered_features(count):
    train, test = features(count, seed=1), features(9, seed=2)
    train.rows.mul_(torch.linspace(0.2, 2, train.rows.shape[1]))  # far from a scaled identity
    x, y = arrays(train)
    means = np.stack([x[y == label].mean(0) for label in range(3)])
    fitted = OAS(assume_centered=True).fit(x - means[y])
    weights = np.linalg.solve(fitted.covariance_, means.T)
    expected = arrays(test)[0] @ weights - (means.T * weights).sum(0) / 2
    assert 0 < fitted.shrinkage_ < 1
    np.testing.assert_allclose(learnt(SLDA(context()), train)(test).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_with_one_text_per_class_slda_takes_the_nearest_mean():
    train = part(features(30, seed=1), slice(0, 3))
    train.targets[:] = torch.arange(3)
    test = features(20, seed=2)
    nearest = torch.cdist(test.rows, train.rows).argmin(1)
    assert torch.equal(learnt(SLDA(context()), train)(test).argmax(1), nearest)


def test_ranpac_is_ridge_regression_on_all_data_at_once():
    train, test = features(80, seed=1), features(9, seed=2)
    learner = learnt(RanPAC(context(), dimensions=50, ridge=3.0), train)
    x, y = (torch.relu(torch.from_numpy(arrays(each)[0]) @ learner.projection.double()).numpy()
            for each in (train, test))  # fmt: skip
    ridge = Ridge(alpha=3.0, fit_intercept=False, solver="cholesky").fit(x, np.eye(3)[arrays(train)[1]])
    np.testing.assert_allclose(learner(test).numpy(), ridge.predict(y), atol=1e-5)


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0])
def test_ranpac_chooses_the_ridge_of_least_squared_error_on_every_fifth_text(noise):
    train, test = features(300, seed=1), features(9, seed=2)
    train.rows.mul_(noise).add_(torch.eye(3, train.rows.shape[1])[train.targets])
    learner = learnt(RanPAC(context(), dimensions=60), train)
    (x, new), y = ((torch.relu(torch.from_numpy(arrays(each)[0]) @ learner.projection.double()).numpy()
                    for each in (train, test)), np.eye(3)[arrays(train)[1]])  # fmt: skip
    held = np.arange(300) % 5 == 4
    errors = {
        ridge: np.square(
            Ridge(alpha=ridge, fit_intercept=False, solver="cholesky")
            .fit(x[~held], y[~held])
            .predict(x[held])
            - y[held]
        ).sum()
        for ridge in 10.0 ** np.arange(-2, 7)
    }
    best = min(errors, key=errors.get)
    ridge = Ridge(alpha=best, fit_intercept=False, solver="cholesky").fit(x, y)
    np.testing.assert_allclose(learner(test).numpy(), ridge.predict(new), atol=1e-4)


def test_ranpac_chooses_no_ridge_on_a_single_class(monkeypatch):
    train = features(40, seed=1)
    train.targets[:] = 1
    monkeypatch.setattr("baselines.ranpac.chosen_ridge", lambda *_: pytest.fail("there is nothing to tell"))
    chosen, fixed = (learnt(RanPAC(context(), 10, ridge), train) for ridge in (None, 1000.0))
    assert torch.equal(chosen.weight, fixed.weight)


@pytest.mark.parametrize("baseline", [NCM, SLDA, RanPAC])
def test_the_order_of_the_stream_does_not_matter(baseline):
    train, test = features(60, seed=1), features(9, seed=2)
    other = part(train, torch.randperm(60, generator=torch.Generator().manual_seed(0)))
    one, two = (learnt(baseline(context(seed=1)), each, n) for each, n in ((train, 1), (other, 4)))
    torch.testing.assert_close(one(test), two(test), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("baseline", [NCM, SLDA, RanPAC])
def test_a_class_that_was_never_seen_is_never_the_answer(baseline):
    train, test = features(60, seed=1), features(30, seed=2)
    train.targets.clamp_(max=1)
    assert learnt(baseline(context()), train)(test).argmax(1).max() <= 1
