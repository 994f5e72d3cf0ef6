"""The metrics of a stream of a language model: pure functions of matrices of bits per byte.

``R[t, i]`` is the bits per byte on experience i after training stage t: lower is better. Averages are those
of R itself. What compares stages is that of ``-R`` (see ``clbench.core.metrics``), so that its sign means
what it means for accuracies: forgetting is the rise over the best, and a positive transfer is a gain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clbench.core import metrics

LANGUAGE_METRICS = (
    "average_bits_per_byte",
    "anytime_average_bits_per_byte",
    "learning_bits_per_byte",
    "forgetting_bits",
    "bwt_bits",
    "fwt_bits",
    "general_bits_per_byte",
    "general_rise_bits",
    "rouge_l",
    "untrained_rouge_l",
)


def bits_per_byte(nats: ArrayLike, count: ArrayLike) -> list[float]:
    """Bits per byte of texts: the negative log-likelihood of their tokens over their bytes in UTF-8.

    Args:
        nats: Negative log-likelihoods, sums over tokens, (T,).
        count: Bytes of these tokens, (T,), each at least 1.

    Example:
        >>> bits_per_byte([math.log(2) * 6], [4])
        [1.5]

    Source: Gao et al., The Pile, 2020, section 3.1.
    """
    total = np.asarray(nats, np.float64), np.asarray(count, np.float64)
    if (total[1] <= 0).any():
        raise ValueError("bits per byte are of at least 1 byte")
    found: list[float] = (total[0] / math.log(2) / total[1]).tolist()
    return found


def language_summary(
    bits: ArrayLike,
    untrained: ArrayLike,
    general: Sequence[float],
    untrained_general: float,
    *,
    joint: bool = False,
) -> dict[str, float | None]:
    """All metrics of one run but those of continuations; None where one is undefined, or as long as S < T.

    Args:
        bits: R, (S, T).
        untrained: Bits per byte on each experience before any training, (T,).
        general: On text of no experience after each stage, (S,).
        untrained_general: On the same before any training.
        joint: Whether the one stage trained on all experiences at once.

    Example:
        >>> found = language_summary([[1.0, 2.0], [1.25, 1.5]], [2.0, 2.5], [3.0, 3.25], 3.0)
        >>> found["average_bits_per_byte"], found["forgetting_bits"], found["bwt_bits"], found["fwt_bits"]
        (1.375, 0.25, -0.25, 0.5)
        >>> found["general_rise_bits"]
        0.25
    """
    nothing: dict[str, float | None] = dict.fromkeys(LANGUAGE_METRICS)
    matrix = np.asarray(bits, np.float64)
    if matrix.size == 0 or not (joint or len(matrix) == matrix.shape[1]):
        return nothing
    found = {
        "average_bits_per_byte": metrics.average_accuracy(matrix),
        "general_bits_per_byte": float(general[-1]),
        "general_rise_bits": float(general[-1] - untrained_general),
    }
    if joint:
        return nothing | found
    return nothing | {
        **found,
        "anytime_average_bits_per_byte": metrics.anytime_average_accuracy(matrix),
        "learning_bits_per_byte": metrics.learning_accuracy(matrix),
        "forgetting_bits": metrics.forgetting(-matrix),
        "bwt_bits": metrics.backward_transfer(-matrix),
        "fwt_bits": metrics.forward_transfer(-matrix, -np.asarray(untrained, np.float64)),
    }


def rouge_l(found: str, true: str) -> float:
    """ROUGE-L: the F1 of the longest common subsequence of words, which are lower-case letters and digits.

    Example:
        >>> rouge_l("the cat sat", "The cat, it sat down")  # 2 * 1 * 0.6 / 1.6
        0.75

    Source: Lin 2004, section 3, with beta = 1 and words as in Google's rouge_score, without stemming.
    """
    first, second = (re.findall(r"[a-z0-9]+", text.lower()) for text in (found, true))
    row = [0] * (len(second) + 1)
    for word in first:
        above = row
        row = [0]
        for place, other in enumerate(second):
            row.append(above[place] + 1 if word == other else max(row[-1], above[place + 1]))
    common = row[-1]
    return 2 * common / (len(first) + len(second)) if common else 0.0
