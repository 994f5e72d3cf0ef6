"""kNN, FeCAM and the running covariance of SLDA against scikit-learn and plain loops."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from support.formula_parts import SIZE, Texts, context, features, part

from baselines.fecam import FeCAM
from baselines.knn import KNN
from baselines.slda import SLDA
from clbench.core.errors import UserError

TEST = features(40, seed=2)


def learnt(learner, batch, pieces: int = 3):
    for at in np.array_split(np.arange(len(batch)), pieces):
        learner.end_experience(None, Texts(part(batch, slice(at[0], at[-1] + 1))))
    return learner


def clustered(count: int, seed: int = 1):
    """Texts around class centers, with directions of very different variance in each class."""
    batch = features(count, seed=seed)
    scales = torch.linspace(0.3, 2, SIZE)
    turned = torch.stack([scales.roll(10 * label) for label in range(3)])
    batch.rows.mul_(turned[batch.targets]).add_(torch.eye(3, SIZE)[batch.targets])
    return batch


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_knn_counts_the_votes_of_scikit_learns_neighbors(k, metric):
    train = clustered(90)
    train.rows.mul_(torch.linspace(0.2, 5, 90).unsqueeze(1))  # so that the metrics differ
    peer = KNeighborsClassifier(k, metric=metric, algorithm="brute")
    peer.fit(train.rows.double().numpy(), train.targets.numpy())
    votes = learnt(KNN(context(), k, metric), train)(TEST).numpy()
    places = peer.kneighbors(TEST.rows.double().numpy(), return_distance=False)
    expected = np.zeros((40, 3))
    for row, near in enumerate(places):
        for rank, place in enumerate(near, start=1):
            expected[row, train.targets[place]] += 1 + (k - rank) / k**2
    np.testing.assert_allclose(votes, expected, atol=1e-6)
    np.testing.assert_array_equal(
        np.floor(votes + 1e-6), np.round(k * peer.predict_proba(TEST.rows.double()))
    )


def test_equally_many_neighbors_go_to_the_class_that_has_the_nearer_ones():
    train = part(features(4), slice(0, 4))
    train.rows[:] = torch.eye(4, SIZE) * torch.tensor([[4.0], [3.0], [2.0], [1.0]])
    train.targets[:] = torch.tensor([1, 0, 0, 1])
    asked = part(features(1), slice(0, 1))
    asked.rows[:] = torch.tensor([4.0, 3.9, 1.0, 0.9] + [0.0] * (SIZE - 4))
    votes = learnt(KNN(context(), 4), train, 1)(asked)[0]
    # Ranks 1 and 4 against 2 and 3 are equal too: 3 + 0 and 2 + 1.
    assert votes[0] == votes[1] == 2 + 3 / 16
    votes = learnt(KNN(context(), 2), train, 1)(asked)[0]
    assert votes.argmax() == 1
    assert votes.int().tolist() == [1, 1, 0]


def test_knn_asks_only_texts_within_the_class_mask():
    train, asked = clustered(60), features(40, seed=2)
    asked.class_mask[:, 0] = False
    some = part(train, train.targets > 0)
    peer = KNeighborsClassifier(5, metric="cosine").fit(some.rows.double(), some.targets)
    learner = learnt(KNN(context()), train)
    assert (learner.scores(asked).argmax(1).numpy() == peer.predict(asked.rows.double())).all()
    asked.class_mask[:, 1] = False
    votes = learnt(KNN(context(), 60), train)(asked)  # more than there are within the mask
    assert not votes[:, :2].any()
    assert (votes[:, 2].int() >= (train.targets == 2).sum()).all()


def test_knn_keeps_all_texts_or_a_balanced_buffer():
    train = clustered(90)
    train.targets[:] = torch.tensor([0] * 60 + [1] * 20 + [2] * 10)
    whole = learnt(KNN(context(texts=90)), train)
    assert torch.equal(whole.buffer.rows[:, 0], train.rows)
    few = learnt(KNN(context(), capacity=15, fill="per-class"), train)
    assert torch.bincount(few.buffer.targets).tolist() == [5, 5, 5]
    assert len(few.buffer.rows) == 15
    with pytest.raises(UserError, match="capacity 0"):
        KNN(context(texts=0))


def unit(batch) -> np.ndarray:
    x = batch.rows.double().numpy()
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def distance(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray, a1: float, a2: float) -> np.ndarray:
    """The squared distances of FeCAM, entry by entry."""
    size = len(covariance)
    on = np.mean([covariance[i, i] for i in range(size)])
    off = np.mean([covariance[i, j] for i in range(size) for j in range(size) if i != j])
    shrunk = np.array(
        [[covariance[i, j] + (a1 * on if i == j else a2 * off) for j in range(size)] for i in range(size)]
    )
    scaled = np.array(
        [[shrunk[i, j] / np.sqrt(shrunk[i, i] * shrunk[j, j]) for j in range(size)] for i in range(size)]
    )
    inverse = np.linalg.inv(scaled)
    return np.array([(one - mean) @ inverse @ (one - mean) for one in x])


@pytest.mark.parametrize(("a1", "a2"), [(1.0, 0.0), (0.3, 1.0)])
def test_fecam_is_the_mahalanobis_distance_of_scaled_shrunk_class_covariances(a1, a2):
    train = clustered(240)
    x, y, new = unit(train), train.targets.numpy(), unit(TEST)
    logits = learnt(FeCAM(context(), alpha1=a1, alpha2=a2), train)(TEST).numpy()
    for label in range(3):
        own = x[y == label]
        expected = distance(new, own.mean(0), np.cov(own.T), a1, a2)
        np.testing.assert_allclose(-logits[:, label], expected, rtol=1e-5)


def test_shared_fecam_has_the_pooled_covariance_around_class_means():
    train = clustered(240)
    x, y, new = unit(train), train.targets.numpy(), unit(TEST)
    means = np.stack([x[y == label].mean(0) for label in range(3)])
    pooled = (x - means[y]).T @ (x - means[y]) / (len(x) - 3)
    learner = learnt(FeCAM(context(), "shared", alpha1=1.0), train)
    assert len(learner.products) == 1
    for label in range(3):
        expected = distance(new, means[label], pooled, 1.0, 0.0)
        np.testing.assert_allclose(-learner(TEST)[:, label].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("covariance", ["class", "shared"])
def test_with_one_text_per_class_fecam_takes_the_nearest_one(covariance):
    train = part(clustered(30), slice(0, 3))
    train.targets[:] = torch.arange(3)
    nearest = (unit(TEST) @ unit(train).T).argmax(1)
    assert (learnt(FeCAM(context(), covariance), train)(TEST).argmax(1).numpy() == nearest).all()


@pytest.mark.parametrize("covariance", ["class", "shared"])
def test_a_class_that_was_never_seen_is_never_the_answer(covariance):
    train = clustered(60)
    train.targets.clamp_(max=1)
    assert learnt(FeCAM(context(), covariance), train)(TEST).argmax(1).max() <= 1


@pytest.mark.parametrize("pieces", [1, 4])
def test_the_reference_form_of_slda_is_the_authors_loop_over_texts(pieces):
    train = clustered(400)
    sigma, means, counts = np.zeros((SIZE, SIZE)), np.zeros((3, SIZE)), np.zeros(3)
    for updates, (x, y) in enumerate(zip(train.rows.double().numpy(), train.targets.numpy(), strict=True)):
        away = x - means[y]
        sigma = (updates * sigma + np.outer(away, away) * updates / (updates + 1)) / (updates + 1)
        means[y] += away / (counts[y] + 1)
        counts[y] += 1
    for shrinkage in (1e-4, 0.2):
        inverse = np.linalg.pinv((1 - shrinkage) * sigma + shrinkage * np.eye(SIZE))
        weight = inverse @ means.T
        expected = TEST.rows.double().numpy() @ weight - 0.5 * (means.T * weight).sum(0)
        given = None if shrinkage == 1e-4 else shrinkage
        learner = learnt(SLDA(context(), given, "reference"), train, pieces)
        np.testing.assert_allclose(learner(TEST).numpy(), expected, rtol=1e-4, atol=1e-4)
        exact = learnt(SLDA(context(), shrinkage), train, pieces)(TEST).numpy()
        assert np.abs(exact - expected).max() > 0.05
    assert learner.info.deviations == ()
