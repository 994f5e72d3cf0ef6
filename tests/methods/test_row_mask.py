"""The rows that a step may train: TF-IDF by hand, and written out in loops over dictionaries."""

import math
from collections import Counter

import pytest
import torch
from support.bottlenecks import LENGTHS, MAX_TOKENS, Texts, context
from support.language_runs import language_run
from support.naive_dkvb import States, naive_counts

from baselines.dkvb import DKVB
from clbench.engine.loop import begin_stream
from clbench.engine.scoring import readable_texts
from clbench.methods.dkvb.row_mask import RowMask

SIZES = {"heads": 4, "keys": 16}
BACKGROUND = [12, 5, 16, 2, 7, 11]
LAYOUTS = {"hidden": {}, "token": {"segmentation": "token"}, "top 3": {"top_k": 3}}


def counts_of(network, encoder: States, lengths: list[int]) -> list[Counter]:
    return [naive_counts(network, encoder.text(at, length, "masked")) for at, length in enumerate(lengths)]


def batch_of(learner, encoder: States):
    return learner.network.prefix(encoder, encoder.batch(LENGTHS), MAX_TOKENS)


def chosen(learner, batch) -> torch.Tensor:
    return learner.mask.choose(*learner.network.selected(batch))


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


def test_scores_choice_and_gradient_by_hand():
    mask = RowMask(5, 2)
    mask.remember(torch.tensor([0, 1, 1]), torch.tensor([3]))
    mask.remember(torch.tensor([0, 0, 3]), torch.tensor([1, 2]))
    assert mask.texts_with.tolist() == [3, 1, 0, 1, 0]
    expected = [3 / 6 * math.log(4 / 4), 1 / 6 * math.log(4 / 2), 2 / 6 * math.log(4 / 1)]
    assert mask.scores(torch.arange(3), torch.tensor([3, 1, 2])).tolist() == pytest.approx(expected)
    rows = torch.tensor([0, 0, 1, 2, 2, 0])
    chosen = mask.choose(rows, torch.ones(6))
    assert chosen.tolist() == [1, 2]
    assert torch.equal(mask.choose(torch.tensor([2, 0, 1]), torch.tensor([2, 3, 1])), chosen)
    weight = torch.nn.Parameter(torch.zeros(5, 1))
    weight.grad = torch.sparse_coo_tensor(
        torch.tensor([[0, 1, 2, 2]]), torch.tensor([[1.0], [2.0], [3.0], [4.0]]), (5, 1)
    )
    mask.restrict(weight, chosen)
    assert weight.grad.to_dense()[:, 0].tolist() == [0, 2, 7, 0, 0]


def test_rows_of_no_score_are_chosen_only_if_the_batch_selects_them():
    mask = RowMask(6, 3)
    mask.remember(torch.tensor([3, 4, 5]), torch.tensor([3]))  # no score
    assert mask.choose(torch.tensor([4, 5, 5]), torch.ones(3)).tolist() == [4, 5]
    mask.kept = 1
    assert mask.choose(torch.tensor([4, 5, 5]), torch.ones(3)).tolist() == [5]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kept", [1, 10, 25])
def test_the_rows_of_highest_tf_idf_are_chosen(layout, kept, encoder, background):
    learner = DKVB(context(encoder), **SIZES, **layout, trained_rows=kept)
    batch = batch_of(learner, encoder)
    now = counts_of(learner.network, encoder, LENGTHS)
    assert set(chosen(learner, batch).tolist()) == naive_rows(now, [], kept)
    learner.end_experience(None, Texts(background, BACKGROUND, learner.network))
    before = counts_of(learner.network, background, BACKGROUND)
    assert int(learner.mask.texts) == len(BACKGROUND)
    expected = naive_rows(now, before, kept)
    assert set(chosen(learner, batch).tolist()) == expected
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
    kept = chosen(masked, batch)
    assert len(kept) == 10
    torch.testing.assert_close(some[kept], all_rows[kept])
    others = [row for row in range(len(start)) if row not in kept.tolist()]
    assert torch.equal(some[others], start[others])
    assert (all_rows[others] != start[others]).any()


def test_the_mask_is_carried_and_told(encoder):
    plain, masked = (DKVB(context(encoder), **SIZES, trained_rows=kept) for kept in (None, 10))
    more = masked.carried_bytes()["statistics"] - plain.carried_bytes()["statistics"]
    assert more == 8 * (4 * 16 + 1)
    assert set(masked.info.deviations) - set(plain.info.deviations) == {
        "of these, only those of highest TF-IDF"
    }


def test_the_background_of_a_language_model_is_generic_text(tmp_path):
    arguments = {"heads": 2, "keys": 16, "top_rows": 4, "init_texts": 30}
    run = language_run(tmp_path, "dkvbvalues", arguments=arguments)
    begin_stream(run)
    network, mask = run.learner.network, run.learner.mask
    texts = run.data.generic_reader(readable_texts(run)).batches(1, prefix=network.prefix, limit=30)
    counts = Counter(row for text in texts for row in set(network.selected(text).flatten().tolist()))
    assert int(mask.texts) == 30
    assert mask.texts_with.tolist() == [counts[row] for row in range(32)]
    assert len(set(counts.values())) > 1
