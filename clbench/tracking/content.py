"""From the content of a result file to what is logged of it, without any logger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clbench.tracking import names


def experience(content: Mapping[str, Any], stage: int) -> int:
    """How many experiences were seen after row ``stage``: joint training sees all in its one stage."""
    return len(content["accuracy"][0]) if content["config"]["joint"] else stage + 1


def row(content: Mapping[str, Any], stage: int) -> dict[str, float]:
    """What was measured after one stage of training.

    Args:
        content: A result file, also of a run that goes on.
        stage: Which one, from 0.

    Returns:
        Accuracies and macro-F1 on each experience, the stage's costs, and the method's diagnostics.
    """
    measured: dict[str, float] = {
        names.EXPERIENCE: experience(content, stage),
        names.STREAM_ACCURACY: content["stream_accuracy"][stage],
    }
    for metric, matrix in ((names.ACCURACY, "accuracy"), (names.MACRO_F1, "macro_f1")):
        for number, value in enumerate(content[matrix][stage], start=1):
            measured[names.on_experience(metric, number)] = value
    told = content["diagnostics"].get("experiences", [])
    for prefix, stages in ((names.STAGE, content["experiences"]), (names.DIAGNOSTICS, told)):
        if stage < len(stages):
            measured |= _numbers(prefix, stages[stage])
    return measured


def matrix(content: Mapping[str, Any]) -> list[Iterable[Any]]:
    """The accuracy matrix in lines of ``names.MATRIX_COLUMNS``."""
    return [
        [experience(content, stage), tested, accuracy, macro_f1]
        for stage, both in enumerate(zip(content["accuracy"], content["macro_f1"], strict=True))
        for tested, (accuracy, macro_f1) in enumerate(zip(*both, strict=True), start=1)
    ]


def summary(content: Mapping[str, Any]) -> dict[str, Any]:
    """Status, metrics and costs; what a run does not have is left out."""
    about = {"status": content["status"]} | ({"error": content["error"]} if "error" in content else {})
    return about | _numbers(names.METRICS, content["metrics"]) | _numbers(names.COSTS, content["costs"])


def _numbers(prefix: str, values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in nested ``values``, by the path that leads to each."""
    return dict(_walk(prefix, values))


def _walk(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _walk(f"{path}/{key}", each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
