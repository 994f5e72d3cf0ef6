"""Masked adapters on two tasks that share structure: the second gains, the first is not forgotten.

A class is a set of words, the same in both tasks. The second task shows two words of each in training and the
others in testing: only who learned the first task can know them. Adapter-HAT, which has neither capsules nor
a contrastive loss, gains as well: this does not say what B-CL, CTR and CLASSIC add to it.
"""

import random
from dataclasses import replace
from functools import cache

import pytest
import torch
from support.formula_parts import context, experience, fit, of_texts

from baselines.adapter_hat import AdapterHAT
from baselines.bcl import BCL
from baselines.classic import CLASSIC
from baselines.ctr import CTR
from clbench.core.batch import Batch
from clbench.models.tiny import vocabulary

WORDS = [word for word in vocabulary() if word.isalpha() and len(word) > 3][:12]
CLASSES = (WORDS[:6], WORDS[6:])
METHODS = (AdapterHAT, BCL, CTR, CLASSIC)


def texts(learner, words: tuple[list[str], list[str]], count: int, at: int, seed: int) -> Batch:
    draw = random.Random(seed)
    targets = [place % 2 for place in range(count)]
    lines = [" ".join(draw.choice(words[target]) for _ in range(5)) for target in targets]
    batch = of_texts(learner.context.encoder, lines, targets)
    return replace(batch, experience=torch.full_like(batch.experience, at))


def accuracy(learner, batch: Batch) -> float:
    learner.eval()
    with torch.no_grad():
        return float((learner(batch)[:, :2].argmax(1) == batch.targets).float().mean())


@cache
def after(method, tasks: tuple[int, ...]) -> dict[tuple[int, int], float]:
    """Accuracies on (stage, task) of a learner that goes through these tasks."""
    torch.manual_seed(0)
    learner = method(context(task_aware=True, tuning="adapter", adapter_size=64, lr=3e-3))
    few, new = tuple(words[:2] for words in CLASSES), tuple(words[2:] for words in CLASSES)
    train = [texts(learner, CLASSES, 64, 0, seed=1), texts(learner, few, 8, 1, seed=2)]
    test = [texts(learner, CLASSES, 64, 0, seed=3), texts(learner, new, 64, 1, seed=4)]
    found = {}
    for at in tasks:
        learner.begin_experience(experience(at, 0, 1), None)
        fit(learner, list(train[at].split(8)), epochs=10)
        learner.end_experience(experience(at, 0, 1), None)
        found |= {(at, task): accuracy(learner, test[task]) for task in (0, 1)}
    return found


@pytest.mark.parametrize("method", METHODS)
def test_the_second_of_two_like_tasks_gains_from_the_first(method):
    both, alone = after(method, (0, 1)), after(method, (1,))
    assert both[1, 1] >= 0.9
    assert alone[1, 1] <= 0.7


@pytest.mark.parametrize("method", METHODS)
def test_the_first_task_is_not_forgotten(method):
    both = after(method, (0, 1))
    assert both[0, 0] >= 0.9
    assert both[1, 0] >= both[0, 0] - 0.05
