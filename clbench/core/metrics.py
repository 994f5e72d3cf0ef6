"""The metrics of continual learning: pure functions of accuracy matrices and of confusion counts.

Public suites disagree on what these names mean, so every definition stands in its docstring. In all of
them ``R`` has shape (S, T): row s holds the accuracies after training stage s, column i those on
experience i, in the order of training. A finished stream has S = T and ``R[t, i]`` with t, i = 1..T in the
formulas; joint training on everything at once has S = 1; a run in progress has fewer rows than columns.
A metric that is undefined for its matrix is None, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

METRICS = (
    "average_accuracy",
    "anytime_average_accuracy",
    "learning_accuracy",
    "forgetting",
    "bwt",
    "fwt",
    "macro_f1",
)


def average_accuracy(R: ArrayLike) -> float:  # noqa: N803
    """Mean over i of R[S, i]: the accuracy on all experiences after the last stage there is.

    Args:
        R: Accuracies, (S, T); S = 1 for joint training.

    Example:
        >>> average_accuracy([[0.75, 0.25], [0.5, 0.75]])
        0.625

    Source: Lopez-Paz and Ranzato, Gradient Episodic Memory, 2017, "ACC".
    """
    return float(_matrix(R)[-1].mean())


def anytime_average_accuracy(R: ArrayLike) -> float | None:  # noqa: N803
    """Mean over t of (mean over i <= t of R[t, i]): the accuracy on what was seen, averaged over time.

    Args:
        R: Accuracies, (T, T); None is returned for any other shape.

    Example:
        >>> anytime_average_accuracy([[0.75, 0.25], [0.5, 0.75]])  # (0.75 + 0.625) / 2
        0.6875

    Source: Caccia et al., New Insights on Reducing Abrupt Representation Change, 2022, "AAA".
    """
    matrix = _matrix(R)
    if not _whole(matrix):
        return None
    return float(np.mean([row[: t + 1].mean() for t, row in enumerate(matrix)]))


def learning_accuracy(R: ArrayLike) -> float | None:  # noqa: N803
    """Mean over i of R[i, i]: the accuracy on each experience directly after training on it.

    Args:
        R: Accuracies, (T, T); None is returned for any other shape.

    Example:
        >>> learning_accuracy([[0.75, 0.25], [0.5, 0.75]])
        0.75

    Source: Riemer et al., Learning to Learn without Forgetting, 2019, "LA".
    """
    matrix = _matrix(R)
    return float(np.diag(matrix).mean()) if _whole(matrix) else None


def forgetting(R: ArrayLike) -> float | None:  # noqa: N803
    """Mean over i < T of (max over i <= t < T of R[t, i]) - R[T, i].

    The best accuracy is taken from the experience's own stage on and before the last stage, so the value
    is negative where the last stage improves on all earlier ones.

    Args:
        R: Accuracies, (T, T); None is returned for any other shape and for T = 1.

    Example:
        >>> forgetting([[0.75, 0.25], [0.5, 0.75]])
        0.25

    Source: Chaudhry et al., Riemannian Walk for Incremental Learning, 2018, "F"; there the maximum also
    runs over the stages before the experience's own, which count as transfer here.
    """
    matrix = _matrix(R)
    if not _several(matrix):
        return None
    last = len(matrix) - 1
    return float(np.mean([matrix[i:last, i].max() - matrix[last, i] for i in range(last)]))


def backward_transfer(R: ArrayLike) -> float | None:  # noqa: N803
    """Mean over i < T of R[T, i] - R[i, i]: what the later experiences did to the earlier ones.

    Args:
        R: Accuracies, (T, T); None is returned for any other shape and for T = 1.

    Example:
        >>> backward_transfer([[0.75, 0.25], [0.5, 0.75]])
        -0.25

    Source: Lopez-Paz and Ranzato, Gradient Episodic Memory, 2017, "BWT".
    """
    matrix = _matrix(R)
    if not _several(matrix):
        return None
    return float((matrix[-1, :-1] - np.diag(matrix)[:-1]).mean())


def forward_transfer(R: ArrayLike, baseline: ArrayLike) -> float | None:  # noqa: N803
    """Mean over i > 1 of R[i-1, i] - b[i]: what the earlier experiences gave to one not yet trained on.

    Args:
        R: Accuracies, (T, T); None is returned for any other shape and for T = 1.
        baseline: b, the accuracies of the untrained learner, (T,).

    Example:
        >>> forward_transfer([[0.75, 0.25], [0.5, 0.75]], baseline=[0.5, 0.125])
        0.125

    Raises:
        ValueError: ``baseline`` does not have one value per experience.

    Source: Lopez-Paz and Ranzato, Gradient Episodic Memory, 2017, "FWT".
    """
    matrix = _matrix(R)
    untrained = np.asarray(baseline, dtype=np.float64)
    if untrained.shape != matrix.shape[1:]:
        raise ValueError(f"the baseline has shape {untrained.shape}, but the matrix {matrix.shape}")
    if not _several(matrix):
        return None
    return float((np.diag(matrix, k=1) - untrained[1:]).mean())


def summary(
    accuracy: ArrayLike, macro_f1: float, baseline: ArrayLike, *, joint: bool = False
) -> dict[str, float | None]:
    """All metrics of one run, under the names of the result file.

    A stream in progress has none of them yet: every value is None until S = T, so that a number never
    changes its meaning while a run goes on. Joint training has an average accuracy and a macro-F1; what
    compares stages is None.

    Args:
        accuracy: (S, T); no rows at all for a run that has not finished its first stage.
        macro_f1: After the last stage there is, from ``stream_macro_f1``.
        baseline: The accuracies of the untrained learner, (T,).
        joint: Whether the one stage trained on all experiences at once.

    Example:
        >>> values = summary([[0.75, 0.25], [0.5, 0.75]], 0.375, [0.5, 0.5])
        >>> values["average_accuracy"], values["macro_f1"]
        (0.625, 0.375)
        >>> summary([[0.75, 0.25]], 0.375, [0.5, 0.5])["average_accuracy"] is None
        True

    Raises:
        ValueError: The shapes do not fit each other, or a joint run has more than one row.
    """
    nothing: dict[str, float | None] = dict.fromkeys(METRICS)
    if np.size(accuracy) == 0:
        return nothing
    matrix = _matrix(accuracy)
    if joint:
        if len(matrix) != 1:
            raise ValueError(f"joint training has one stage, not {len(matrix)}")
        return nothing | {"average_accuracy": average_accuracy(matrix), "macro_f1": macro_f1}
    if not _whole(matrix):
        return nothing
    return {
        "average_accuracy": average_accuracy(matrix),
        "anytime_average_accuracy": anytime_average_accuracy(matrix),
        "learning_accuracy": learning_accuracy(matrix),
        "forgetting": forgetting(matrix),
        "bwt": backward_transfer(matrix),
        "fwt": forward_transfer(matrix, baseline),
        "macro_f1": macro_f1,
    }


def accuracy_from_counts(counts: ArrayLike) -> float:
    """The share of examples on the diagonal.

    Args:
        counts: Examples by true class (rows) and predicted class (columns), (C, C).

    Example:
        >>> accuracy_from_counts([[3, 1], [0, 4]])
        0.875
    """
    table = _counts(counts)
    return float(np.trace(table) / table.sum())


def macro_f1_from_counts(counts: ArrayLike) -> float:
    """Mean over the classes that occur of F1 = 2 TP / (2 TP + FP + FN).

    A class occurs if an example has it or was given it; one that was only ever given, or never found,
    counts with 0. This is scikit-learn's ``f1_score(average="macro", zero_division=0)``.

    Args:
        counts: Examples by true class (rows) and predicted class (columns), (C, C).

    Example:
        >>> macro_f1_from_counts([[2, 0, 0], [2, 0, 0], [0, 0, 0]])  # (4 / 6 + 0) / 2
        0.3333333333333333
    """
    table = _counts(counts)
    total = table.sum(axis=0) + table.sum(axis=1)  # (C,) equal to 2 TP + FP + FN
    occurs = total > 0
    return float((2 * np.diag(table)[occurs] / total[occurs]).mean())


def stream_accuracy(counts: Sequence[ArrayLike]) -> float:
    """The accuracy on the union of all test sets, from the confusion counts of each experience.

    Args:
        counts: One (C, C) array per experience, rows true and columns predicted.

    Example:
        >>> stream_accuracy([[[1, 0], [0, 0]], [[0, 0], [2, 1]]])  # 2 of 4
        0.5
    """
    return accuracy_from_counts(np.sum([_counts(one) for one in counts], axis=0))


def stream_macro_f1(counts: Sequence[ArrayLike], *, task_aware: bool) -> float:
    """Macro-F1 on all test sets, from the confusion counts of each experience.

    Single-head streams have one classification problem: F1 is that of each class on the union of the test
    sets, and the mean is over all classes of the stream. The mean over experiences would be of little use
    there: on an experience with one class, each other predicted class counts with an F1 of 0. Where the
    experience of a text is known, each is a problem of its own, and the mean over experiences is taken.

    Args:
        counts: One (C, C) array per experience, rows true and columns predicted.
        task_aware: Whether the experience is known at test time; streams are single-head where it is not.

    Example:
        >>> counts = [[[1, 1], [0, 0]], [[0, 0], [0, 2]]]
        >>> stream_macro_f1(counts, task_aware=False)  # (2 / 3 + 4 / 5) / 2
        0.7333333333333334
        >>> stream_macro_f1(counts, task_aware=True)  # ((2 / 3 + 0) / 2 + 1) / 2
        0.6666666666666666
    """
    if task_aware:
        return float(np.mean([macro_f1_from_counts(one) for one in counts]))
    return macro_f1_from_counts(np.sum([_counts(one) for one in counts], axis=0))


def _matrix(values: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or not 1 <= matrix.shape[0] <= matrix.shape[1]:
        raise ValueError(f"a matrix of S stages by T >= S experiences is wanted, not shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("the matrix has values that are not finite")
    return matrix


def _whole(matrix: NDArray[np.float64]) -> bool:
    return len(matrix) == len(matrix.T)


def _several(matrix: NDArray[np.float64]) -> bool:
    return _whole(matrix) and len(matrix) > 1


def _counts(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"confusion counts are square, not of shape {table.shape}")
    if table.sum() <= 0 or (table < 0).any():
        raise ValueError("confusion counts are at least 0, and there is at least one example")
    return table
