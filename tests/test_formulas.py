"""Each defining formula against an independent computation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.ewc import EWC
from baselines.replay import Replay
from clbench.batch import Batch, masked_mean, pad
from clbench.buffer import ReplayBuffer
from clbench.encoder import load_encoder
from clbench.network import Context


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny")


def context(encoder, **options) -> Context:
    return Context(encoder=encoder, columns=3, experiences=2, max_tokens=16, tuning="frozen", **options)


def features(count: int, size: int = 32, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        rows=torch.randn(count, 1, size, generator=generator),
        mask=torch.ones(count, 1, dtype=torch.bool),
        targets=torch.randint(3, (count,), generator=generator),
        allowed=torch.ones(count, 3, dtype=torch.bool),
        experience=torch.zeros(count, dtype=torch.int64),
    )


def part(batch: Batch, at: slice) -> Batch:
    return Batch(*(getattr(batch, name)[at] for name in ("rows", "mask", "targets", "allowed", "experience")))


class Texts:
    """A reader over one batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def batches(self, batch_size, *, stem=None, limit=None):
        for begin in range(0, min(limit or len(self.batch), len(self.batch)), batch_size):
            yield part(self.batch, slice(begin, begin + batch_size))


def test_fisher_of_a_linear_softmax_model_is_its_closed_form_and_true_labels_are_an_option(encoder):
    learner = EWC(context(encoder), labels="true", fisher_examples=20)
    batch = features(20)
    estimate = learner.estimate(Texts(batch))
    x = batch.rows[:, 0]
    error = learner.network(batch).softmax(1).detach() - F.one_hot(batch.targets, 3)  # (20, 3)
    expected = (error[:, :, None] * x[:, None, :]).square().mean(0)  # d(-log p)/dW = (p - y) x^T
    torch.testing.assert_close(estimate["network.head.weight"], expected)
    torch.testing.assert_close(estimate["network.head.bias"], error.square().mean(0))


def test_sampled_fisher_approaches_the_expectation_under_the_model(encoder):
    learner = EWC(context(encoder), fisher_examples=4000)
    batch = part(features(1), slice(0, 1))
    many = Batch(*(getattr(batch, n).repeat_interleave(4000, 0) for n in
                   ("rows", "mask", "targets", "allowed", "experience")))  # fmt: skip
    learner.generator.manual_seed(0)
    estimate = learner.estimate(Texts(many))["network.head.bias"]
    p = learner.network(batch).softmax(1).detach()[0]
    expected = p * (1 - p)  # sum over y of p_y (p - onehot_y)^2
    torch.testing.assert_close(estimate, expected, atol=0.03, rtol=0)


def test_ewc_penalty_and_average_by_hand(encoder):
    learner = EWC(context(encoder), strength=3.0, labels="true", fisher_examples=10)
    first, second = Texts(features(10, seed=1)), Texts(features(10, seed=2))
    estimates = [learner.estimate(first), learner.estimate(second)]
    learner.end_experience(None, first)
    learner.end_experience(None, second)
    with torch.no_grad():
        learner.network.head.bias += torch.tensor([1.0, 0.0, -2.0])
    mean = (estimates[0]["network.head.bias"] + estimates[1]["network.head.bias"]) / 2
    expected = 3.0 / 2 * (mean[0] * 1 + mean[2] * 4)
    torch.testing.assert_close(learner.penalty(), expected)


def test_reservoir_keeps_every_text_equally_often():
    counts = np.zeros(40)
    generator = torch.Generator().manual_seed(0)
    for _ in range(600):
        buffer = ReplayBuffer(8, 1, (), torch.float32, 3)
        batch = features(40)
        buffer.add(
            Batch(torch.arange(40.0)[:, None], batch.mask, batch.targets, batch.allowed, batch.experience),
            generator,
        )
        counts[buffer.rows[:, 0].int().numpy()] += 1
    expected = 600 * 8 / 40
    # Chi-square with 39 degrees of freedom: 72.1 is its 99.9 % point.
    assert ((counts - expected) ** 2 / expected).sum() < 72.1


def test_replay_adds_an_equal_batch_from_the_buffer_with_its_own_columns(encoder):
    learner = Replay(context(encoder), capacity=8)
    old, new = features(8, seed=3), features(8, seed=4)
    old.allowed[:, 1:] = False
    old.targets[:] = 0
    learner.end_experience(None, Texts(old))
    learner.train()
    loss = learner.loss(new)
    current = F.cross_entropy(learner.network(new), new.targets)
    torch.testing.assert_close(loss, current / 2)  # the old texts have one column left: their loss is 0


def test_mean_does_not_depend_on_padding():
    rows = [np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32) for n in (2, 7)]
    alone = masked_mean(*pad(rows[:1]))
    torch.testing.assert_close(masked_mean(*pad(rows))[:1], alone, atol=0, rtol=0)
