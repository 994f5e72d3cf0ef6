"""What is logged of a result, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clbench.core.result import RunResult
from clbench.tracking import names


def experience(result: RunResult, stage: int) -> int:
    """How many experiences were seen after row ``stage``: joint training sees all in its one stage."""
    rows = result.language.get("bits_per_byte") or result.accuracy
    return len(rows[0]) if result.config["stream"] == "joint" else stage + 1


def row(result: RunResult, stage: int) -> dict[str, float]:
    """What was measured after one stage of training.

    Args:
        result: The result, also of a run that is not finished.
        stage: Which one, from 0.

    Returns:
        Accuracies and macro-F1 on each experience, the stage's costs, and the method's diagnostics.
    """
    measured: dict[str, float] = {names.EXPERIENCE: experience(result, stage)}
    if result.language:
        measured[names.STREAM_BITS] = result.language["stream"][stage]
        measured[names.GENERAL_BITS] = result.language["general"][stage]
        for number, value in enumerate(result.language["bits_per_byte"][stage], start=1):
            measured[names.on_experience(names.BITS, number)] = value
    else:
        measured[names.STREAM_ACCURACY] = result.stream_accuracy[stage]
    matrices = (
        () if result.language else ((names.ACCURACY, result.accuracy), (names.MACRO_F1, result.macro_f1))
    )
    for metric, matrix in matrices:
        for number, value in enumerate(matrix[stage], start=1):
            measured[names.on_experience(metric, number)] = value
    told = result.diagnostics.get("experiences", [])
    for prefix, stages in ((names.STAGE, result.experiences), (names.DIAGNOSTICS, told)):
        if stage < len(stages):
            measured |= _numbers(prefix, stages[stage])
    return measured


def matrix(result: RunResult) -> tuple[list[str], list[list[Any]]]:
    """The columns and lines of R[t, i]: a line for each stage and experience, with what is measured of it."""
    named: dict[str, list[list[float]]] = {"accuracy": result.accuracy, "macro-F1": result.macro_f1}
    if result.language:
        named = {"bits per byte": result.language.get("bits_per_byte", [])}
    lines = [
        [experience(result, stage), tested, *values]
        for stage, rows in enumerate(zip(*named.values(), strict=True))
        for tested, values in enumerate(zip(*rows, strict=True), start=1)
    ]
    return [*names.MATRIX_COLUMNS, *named], lines


def summary(result: RunResult) -> dict[str, Any]:
    """Status, metrics and costs; what a run does not have is left out."""
    about = {"status": result.status} | ({"error": result.error} if result.error else {})
    return about | _numbers(names.METRICS, result.metrics) | _numbers(names.COSTS, result.costs)


def _numbers(prefix: str, values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in nested ``values``, by the path that leads to each."""
    return dict(_walk(prefix, values))


def _walk(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _walk(f"{path}/{key}", each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
