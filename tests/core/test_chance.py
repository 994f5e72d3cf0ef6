"""Whether a run is better than guessing."""

import doctest
import itertools
import random

import pytest

from clbench.core import chance
from clbench.core.result import RunResult


def test_the_examples_are_right():
    found = doctest.testmod(chance)
    assert found.failed == 0
    assert found.attempted


@pytest.mark.parametrize("task_aware", [True, False])
def test_no_constant_answer_is_better(task_aware):
    draw = random.Random(0)
    labels = [{label: draw.randint(1, 9) for label in draw.sample(range(4), 2)} for _ in range(3)]
    answers = itertools.product(range(4), repeat=3) if task_aware else ([answer] * 3 for answer in range(4))
    reached = [
        sum(each.get(answer, 0) / sum(each.values()) for each, answer in zip(labels, given, strict=True)) / 3
        for given in answers
    ]
    assert chance.constant_accuracy(labels, task_aware=task_aware) == pytest.approx(max(reached))


def run(average: float, cells: list, **config) -> RunResult:
    return RunResult(config, {}, metrics={"average_accuracy": average}, confusion=[cells])


def test_a_run_within_two_standard_errors_is_at_chance():
    cells = [[[0, 0, 40], [0, 1, 10], [1, 0, 50]]]  # 100 texts, half of each class: 0.5 + 2 * 0.05
    assert chance.is_at_chance(run(0.6, cells))
    assert not chance.is_at_chance(run(0.61, cells))


def test_what_cannot_be_better_or_was_not_measured_is_not_at_chance():
    assert not chance.is_at_chance(run(1.0, [[[0, 0, 5]], [[1, 1, 5]]], task_aware=True))
    assert not chance.is_at_chance(run(0.1, [[[0, 0, 0]]]))
    assert not chance.is_at_chance(RunResult({}, {}))
