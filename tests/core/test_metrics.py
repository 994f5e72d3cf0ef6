"""The metrics, against arithmetic done by hand and against scikit-learn."""

import doctest

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from clbench.core import metrics

# RaggedArray: after stage 1, 2, 3. Columns: experience 1, 2, 3.
R = [
    [0.80, 0.30, 0.10],
    [0.90, 0.60, 0.20],
    [0.50, 0.70, 0.40],
]
F1 = 0.4
BASELINE = [0.45, 0.25, 0.05]


def test_average_accuracy_is_the_mean_of_the_last_row():
    assert metrics.average_accuracy(R) == pytest.approx(1.6 / 3)  # (0.50 + 0.70 + 0.40) / 3


def test_anytime_average_accuracy_counts_only_what_was_seen():
    # stage 1: 0.80; stage 2: (0.90 + 0.60) / 2 = 0.75; stage 3: 1.60 / 3
    assert metrics.anytime_average_accuracy(R) == pytest.approx((0.80 + 0.75 + 1.6 / 3) / 3)


def test_learning_accuracy_is_the_mean_of_the_diagonal():
    assert metrics.learning_accuracy(R) == pytest.approx(0.6)  # (0.80 + 0.60 + 0.40) / 3


def test_forgetting_is_from_the_best_earlier_stage_and_can_be_negative():
    # experience 1: max(0.80, 0.90) - 0.50 = 0.40; experience 2: 0.60 - 0.70 = -0.10
    assert metrics.forgetting(R) == pytest.approx(0.15)  # (0.40 - 0.10) / 2


def test_forgetting_ignores_accuracies_from_before_the_experience():
    before = np.array(R)
    before[0, 1] = 0.99  # experience 2 before its own stage
    assert metrics.forgetting(before) == pytest.approx(0.15)


def test_backward_transfer_is_from_the_own_stage():
    # experience 1: 0.50 - 0.80 = -0.30; experience 2: 0.70 - 0.60 = 0.10
    assert metrics.backward_transfer(R) == pytest.approx(-0.10)


def test_forward_transfer_is_from_the_stage_before_against_the_untrained_learner():
    # experience 2: 0.30 - 0.25 = 0.05; experience 3: 0.20 - 0.05 = 0.15
    assert metrics.forward_transfer(R, BASELINE) == pytest.approx(0.10)


def test_forward_transfer_refuses_a_baseline_of_another_length():
    with pytest.raises(ValueError, match="baseline"):
        metrics.forward_transfer(R, [0.25])


def test_the_summary_of_a_finished_stream_has_all_metrics_under_the_names_of_the_result_file():
    assert metrics.summary(R, F1, BASELINE) == pytest.approx(
        {
            "average_accuracy": 1.6 / 3,
            "anytime_average_accuracy": (0.80 + 0.75 + 1.6 / 3) / 3,
            "learning_accuracy": 0.6,
            "forgetting": 0.15,
            "bwt": -0.10,
            "fwt": 0.10,
            "macro_f1": 0.4,
        }
    )


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_a_stream_in_progress_has_no_metrics_yet(stages):
    assert metrics.summary(R[:stages], F1, BASELINE) == dict.fromkeys(metrics.METRICS)


def test_joint_training_has_only_what_needs_one_stage():
    values = metrics.summary([R[2]], F1, BASELINE, joint=True)
    assert values.pop("average_accuracy") == pytest.approx(1.6 / 3)
    assert values.pop("macro_f1") == pytest.approx(0.4)
    assert len(values) == 5
    assert set(values.values()) == {None}


def test_joint_training_on_one_experience_is_not_taken_for_a_stream():
    assert metrics.summary([[0.9]], 0.8, [0.5], joint=True)["learning_accuracy"] is None


def test_joint_training_with_two_stages_is_refused():
    with pytest.raises(ValueError, match="one stage"):
        metrics.summary(R[:2], F1, BASELINE, joint=True)


def test_a_stream_of_one_experience_has_nothing_to_forget_or_transfer():
    values = metrics.summary([[0.9]], 0.8, [0.5])
    assert values == {
        "average_accuracy": 0.9,
        "anytime_average_accuracy": 0.9,
        "learning_accuracy": 0.9,
        "forgetting": None,
        "bwt": None,
        "fwt": None,
        "macro_f1": 0.8,
    }


def test_what_compares_stages_is_undefined_for_a_matrix_that_is_not_square():
    for function in (
        metrics.anytime_average_accuracy,
        metrics.learning_accuracy,
        metrics.forgetting,
        metrics.backward_transfer,
    ):
        assert function(R[:2]) is None
    assert metrics.forward_transfer(R[:2], BASELINE) is None


@pytest.mark.parametrize("bad", [[0.5, 0.5], [[0.5], [0.5]], [[]], [[float("nan")]]])
def test_what_is_not_a_matrix_of_accuracies_is_refused(bad):
    with pytest.raises(ValueError, match="matrix"):
        metrics.average_accuracy(bad)


def test_accuracy_and_f1_from_counts_by_hand():
    counts = [[3, 1, 0], [2, 2, 0], [0, 0, 0]]
    assert metrics.accuracy_from_counts(counts) == pytest.approx(5 / 8)
    # class 0: 2*3 / (4 + 5) = 2/3; class 1: 2*2 / (4 + 3) = 4/7; class 2 does not occur
    assert metrics.macro_f1_from_counts(counts) == pytest.approx((2 / 3 + 4 / 7) / 2)


@pytest.mark.parametrize("seed", range(20))
def test_accuracy_and_f1_from_counts_agree_with_scikit_learn(seed):
    random = np.random.default_rng(seed)
    classes = 7
    # Few examples: some classes occur only in the truth, some only in the predictions, some in neither.
    truth = random.integers(0, classes, size=9)
    predicted = np.where(random.random(9) < 0.5, truth, random.integers(0, classes, size=9))
    counts = confusion_matrix(truth, predicted, labels=range(classes))
    assert metrics.accuracy_from_counts(counts) == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.macro_f1_from_counts(counts) == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shared", [False, True], ids=["class", "domain"])
def test_macro_f1_of_a_single_head_stream_is_scikit_learns_on_the_union(seed, shared):
    random = np.random.default_rng(seed)
    # Experience i owns classes 2 i and 2 i + 1, or all share six; any class may be predicted.
    truths = [random.integers(0, 6, 9) if shared else 2 * i + random.integers(0, 2, 9) for i in range(3)]
    guesses = [np.where(random.random(9) < 0.5, each, random.integers(0, 6, 9)) for each in truths]
    pairs = list(zip(truths, guesses, strict=True))
    counts = [confusion_matrix(*pair, labels=range(6)) for pair in pairs]
    union = f1_score(np.concatenate(truths), np.concatenate(guesses), average="macro", zero_division=0)
    assert metrics.stream_macro_f1(counts, task_aware=False) == pytest.approx(union)
    mean = np.mean([f1_score(*pair, average="macro", zero_division=0) for pair in pairs])
    assert metrics.stream_macro_f1(counts, task_aware=True) == pytest.approx(mean)
    assert union != pytest.approx(mean)


@pytest.mark.parametrize("seed", range(5))
def test_stream_accuracy_is_the_mean_of_the_accuracies_weighted_by_size(seed):
    random = np.random.default_rng(seed)
    counts = [random.integers(1, 10 * (i + 1), size=(4, 4)) for i in range(3)]
    accuracies = [metrics.accuracy_from_counts(one) for one in counts]
    sizes = [one.sum() for one in counts]
    assert metrics.stream_accuracy(counts) == pytest.approx(np.average(accuracies, weights=sizes))
    assert metrics.stream_accuracy(counts) != pytest.approx(np.mean(accuracies), abs=1e-6)


@pytest.mark.parametrize("bad", [[[1, 2]], [1, 2], [[0, 0], [0, 0]], [[3, -1], [0, 1]]])
def test_what_are_not_confusion_counts_is_refused(bad):
    with pytest.raises(ValueError, match="confusion counts"):
        metrics.accuracy_from_counts(bad)


def test_the_examples_in_the_docstrings_are_right():
    result = doctest.testmod(metrics)
    assert result.failed == 0
    assert result.attempted >= 10
