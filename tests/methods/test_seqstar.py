"""SEQ* and GDumb where the encoder trains; their output layer is in ``test_peers``."""

from dataclasses import replace

import pytest
import torch
from support.formula_parts import Texts, context, experience, features, fit, of_texts

from baselines.gdumb import GDumb
from baselines.seqstar import SEQStar

WORDS = ["oil and gas", "grain of the gulf", "ships", "a bank and its money", "coffee", "the trade of sugar"]
TUNINGS = ["full", "adapter", "lora"]


def weights(module) -> torch.Tensor:
    """All trainable weights of a module, as a copy."""
    return torch.cat([each.detach().flatten() for each in module.parameters() if each.requires_grad])


def learn(learner, index: int, *columns: int, epochs: int = 3) -> None:
    """One experience, whose texts have these columns in turn."""
    targets = [columns[place % len(columns)] for place in range(len(WORDS))]
    texts = of_texts(learner.context.encoder, WORDS, targets)
    learner.begin_experience(experience(index, *columns), Texts(texts))
    fit(learner, [texts], epochs)


@pytest.mark.parametrize("classifier", ["cosine", "linear"])
@pytest.mark.parametrize("tuning", TUNINGS)
def test_seqstar_trains_the_encoder_in_the_first_experience_alone(tuning, classifier):
    learner = SEQStar(context(tuning=tuning, lr=1e-3), classifier)
    encoder, head = learner.network.encoder, learner.network.head
    start = weights(encoder)
    learn(learner, 0, 0, 1)
    first, rows = weights(encoder), head.weight.detach().clone()
    assert (first != start).any()
    learn(learner, 1, 2)
    assert torch.equal(weights(encoder), first)
    assert torch.equal(head.weight[:2], rows[:2])
    assert (head.weight[2] != rows[2]).all()


def test_a_class_that_was_a_negative_for_long_begins_with_a_weight_that_can_turn():
    learner, texts = SEQStar(context(lr=0.01)), features(24)
    head, earlier = learner.network.head, replace(texts, targets=texts.targets % 2)
    learner.begin_experience(experience(0, 0, 1), Texts(earlier))
    fit(learner, [earlier], 300)
    grown, before = head.weight.detach().norm(dim=1), learner(texts)
    assert grown[2] > 1.2
    learner.begin_experience(experience(1, 2), Texts(texts))
    now = head.weight.detach().norm(dim=1)
    assert torch.equal(now[:2], grown[:2])  # those are fixed
    assert now[2] == pytest.approx(1)
    torch.testing.assert_close(learner(texts), before)


def test_a_frozen_encoder_of_seqstar_has_no_dropout():
    learner = SEQStar(context(tuning="full", lr=1e-3))
    texts = of_texts(learner.context.encoder, WORDS)
    for index, same in enumerate((False, True)):
        learner.begin_experience(experience(index, index), Texts(texts))
        expected = learner.eval()(texts)
        learner.train()
        learner.on_train_epoch_start()
        assert torch.allclose(learner(texts), expected, atol=1e-6) == same


@pytest.mark.parametrize("tuning", TUNINGS)
def test_gdumb_starts_each_experience_from_the_first_weights(tuning):
    learner = GDumb(context(tuning=tuning, lr=1e-3), capacity=6)
    start = weights(learner)
    learn(learner, 0, 0, 1)
    assert (weights(learner) != start).any()
    learn(learner, 1, 2, epochs=0)
    assert torch.equal(weights(learner), start)
    assert torch.bincount(learner.buffer.targets).tolist() == [2, 2, 2]
