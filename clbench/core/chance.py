"""Whether a run is better than guessing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from clbench.core.result import RunResult


def constant_accuracy(labels: Sequence[Mapping[int, int]], *, task_aware: bool) -> float:
    """The highest average accuracy of a learner that always answers the same class.

    Args:
        labels: For each experience, how many of its test texts have each class.
        task_aware: Whether it can answer another class in each experience.

    Example:
        >>> constant_accuracy([{0: 5, 1: 5}, {2: 2, 3: 8}], task_aware=False)
        0.4
        >>> constant_accuracy([{0: 5, 1: 5}, {2: 2, 3: 8}], task_aware=True)
        0.65
    """
    shares = [{label: count / sum(each.values()) for label, count in each.items()} for each in labels]
    if task_aware:
        return sum(max(each.values()) for each in shares) / len(shares)
    return max(sum(each.get(label, 0.0) for each in shares) for label in set().union(*shares)) / len(shares)


def is_at_chance(result: RunResult) -> bool:
    """Whether the average accuracy is within two standard errors of always answering one class.

    It is not, where nothing could be better: all test texts of an experience that is known have one class.
    """
    reached = result.metrics.get("average_accuracy")
    if reached is None or not result.confusion:
        return False
    labels: list[Counter[int]] = [Counter() for _ in result.confusion[-1]]
    for counts, cells in zip(labels, result.confusion[-1], strict=True):
        for true, _, count in cells:
            counts[true] += count
    if not all(counts.total() for counts in labels):
        return False
    tested = sum(counts.total() for counts in labels)
    chance = constant_accuracy(labels, task_aware=bool(result.config.get("task_aware")))
    return chance < 1 and reached <= chance + 2 * math.sqrt(chance * (1 - chance) / tested)
