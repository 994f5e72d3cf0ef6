"""The rows that a step may train: TF-IDF written out in loops over dictionaries."""

import math
from collections import Counter

import pytest
import torch
from support.bottlenecks import LENGTHS, MAX_TOKENS, Texts, context
from support.naive_dkvb import States, naive_counts

from baselines.dkvb import DKVB

SIZES = {"heads": 4, "keys": 16}
BACKGROUND = [12, 5, 16, 2, 7, 11]
LAYOUTS = {"hidden": {}, "token": {"segmentation": "token"}, "top 3": {"top_k": 3}}


def counts_of(network, encoder: States, lengths: list[int]) -> list[Counter]:
    return [naive_counts(network, encoder.text(at, length, "masked")) for at, length in enumerate(lengths)]


def batch_of(learner, encoder: States):
    return learner.network.prefix(encoder, encoder.batch(LENGTHS), MAX_TOKENS)


def naive_rows(batch: list[Counter], background: list[Counter], kept: int) -> set[int]:
    """The rows of highest TF-IDF, then those selected more often, then the first ones."""
    tf = sum(batch, Counter())
    total = sum(tf.values())
    df = {row: sum(row in text for text in background) for row in tf}
    score = {row: tf[row] / total * math.log((len(background) + 1) / (df[row] + 1)) for row in tf}
    return set(sorted(tf, key=lambda row: (-round(score[row], 6), -tf[row], row))[:kept])


@pytest.fixture
def background():
    return States(len(BACKGROUND), MAX_TOKENS)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kept", [1, 10, 25])
def test_the_rows_of_highest_tf_idf_are_chosen(layout, kept, encoder, background):
    learner = DKVB(context(encoder), **SIZES, **layout, trained_rows=kept)
    batch = batch_of(learner, encoder)
    now = counts_of(learner.network, encoder, LENGTHS)
    assert set(learner.mask.choose(batch).tolist()) == naive_rows(now, [], kept)
    learner.end_experience(None, Texts(background, BACKGROUND, learner.network))
    before = counts_of(learner.network, background, BACKGROUND)
    assert int(learner.mask.texts) == len(BACKGROUND)
    expected = naive_rows(now, before, kept)
    assert set(learner.mask.choose(batch).tolist()) == expected
    if kept == 10 and not layout:
        assert expected != naive_rows(now, [], kept)


def step(learner, batch) -> torch.Tensor:
    """The values after one training step, with its hooks."""
    optimizer = learner.configure_optimizers()
    learner.on_train_batch_start(batch, 0)
    learner.loss(batch).backward()
    learner.on_after_backward()
    optimizer.step()
    return learner.network.values.weight.detach().clone()


@pytest.mark.parametrize("optimizer", ["adagrad", "sgd", "sparse-adam"])
def test_a_step_moves_the_chosen_rows_as_without_the_mask_and_no_others(optimizer, encoder):
    whole, masked = (
        DKVB(context(encoder), **SIZES, optimizer=optimizer, trained_rows=kept) for kept in (None, 10)
    )
    batch = batch_of(whole, encoder)
    start = whole.network.values.weight.detach().clone()
    all_rows, some = (step(each, batch) for each in (whole, masked))
    chosen = masked.mask.choose(batch)
    assert len(chosen) == 10
    torch.testing.assert_close(some[chosen], all_rows[chosen])
    others = [row for row in range(len(start)) if row not in chosen.tolist()]
    assert torch.equal(some[others], start[others])
    assert (all_rows[others] != start[others]).any()


def test_the_mask_is_carried_and_told(encoder):
    plain, masked = (DKVB(context(encoder), **SIZES, trained_rows=kept) for kept in (None, 10))
    more = masked.carried_bytes()["statistics"] - plain.carried_bytes()["statistics"]
    assert more == 8 * (4 * 16 + 1)
    assert set(masked.info.deviations) - set(plain.info.deviations) == {
        "of these, only those of highest TF-IDF"
    }
