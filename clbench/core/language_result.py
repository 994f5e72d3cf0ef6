"""What a result file holds of a language model: ``language``, in place of accuracies and confusion counts.

Its keys: ``bits_per_byte`` (S, T), ``stream`` (S,) on all test texts, ``general`` (S,) on text of no
experience, ``untrained`` (T,) and ``untrained_general`` before any training; ``counts`` (S, T, 2) and
``untrained_counts`` (T, 2): nats and bytes of each experience; ``continuations``, of a finished run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clbench.core.language_metrics import bits_per_byte, language_summary

TOLERANCE = 1e-6
"""The rounding of an average."""
RULES: Mapping[str, str] = {
    "language": "an object",
    "language.bits_per_byte": "a list",
    "language.bits_per_byte.[]": "a list of numbers",
    "language.bits_per_byte.[].[]": "a number of at least 0",
    **{f"language.{name}": "a list of numbers" for name in ("stream", "general", "untrained")},
    **{f"language.{name}.[]": "a number of at least 0" for name in ("stream", "general", "untrained")},
    "language.untrained_general": "a number of at least 0",
    "language.continuations": "a list of objects",
    "language.continuations.[].name": "a text",
    "language.continuations.[].rouge_l": "between 0 and 1",
    "language.continuations.[].untrained_rouge_l": "between 0 and 1",
    "language.continuations.[].shown": "a list of objects",
}
"""Rules of ``clbench.core.result_fields``."""


def is_language(config: Mapping[str, Any]) -> bool:
    """Whether a run is one of a language model."""
    return config.get("kind") == "language-model"


def set_untrained(language: dict[str, Any], counts: np.ndarray, general: np.ndarray) -> None:
    """Records what was measured before any training.

    Args:
        language: Is changed in place.
        counts: Nats and bytes of the test texts of each experience, (T, 2).
        general: Of text of no experience, (2,).
    """
    language["untrained"] = bits_per_byte(counts[:, 0], counts[:, 1])
    language["untrained_counts"] = counts.tolist()
    language["untrained_general"] = bits_per_byte(general[0], general[1])


def add_stage(
    language: dict[str, Any], counts: np.ndarray, general: np.ndarray, *, joint: bool
) -> dict[str, float | None]:
    """Records what was measured after a stage; returns the metrics. Arguments as for ``set_untrained``."""
    total = counts.sum(axis=0)
    for name, value in (
        ("bits_per_byte", bits_per_byte(counts[:, 0], counts[:, 1])),
        ("stream", bits_per_byte(total[0], total[1])),
        ("general", bits_per_byte(general[0], general[1])),
        ("counts", counts.tolist()),
    ):
        language.setdefault(name, []).append(value)
    before = language["untrained"], language["general"], language["untrained_general"]
    return language_summary(language["bits_per_byte"], *before, joint=joint)


def check(content: Mapping[str, Any]) -> None:
    """What several values have to do with each other.

    Raises:
        ValueError: They contradict each other.
    """
    language, done = content.get("language") or {}, content["status"] == "done"
    rows, stream = language.get("bits_per_byte") or [], language.get("stream") or []
    if len({len(rows), len(stream), len(language.get("general") or [])}) > 1:
        raise ValueError("language.bits_per_byte, stream and general differ in their number of stages")
    if len(set(map(len, [*rows, *filter(None, [language.get("untrained")])]))) > 1 or not all(rows):
        raise ValueError("rows of language.bits_per_byte and untrained differ in length or are empty")
    if not done:
        return
    average = (content.get("metrics") or {}).get("average_bits_per_byte")
    if average is None or not rows:
        raise ValueError("status is 'done', but metrics.average_bits_per_byte or its stages are missing")
    if len(content.get("experiences", ())) < len(rows):
        raise ValueError("experiences has fewer entries than language.bits_per_byte has rows")
    last = sum(rows[-1]) / len(rows[-1])
    if abs(last - average) > TOLERANCE:
        raise ValueError(
            f"metrics.average_bits_per_byte is {average:.4f}, and the mean of the last row {last:.4f}"
        )
