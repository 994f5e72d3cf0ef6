"""One run as a Python call."""

from __future__ import annotations

from typing import Any

from clbench.core.result import RunResult
from clbench.engine.build import prepare
from clbench.engine.earlier import finished
from clbench.engine.loop import execute
from clbench.engine.parser import run_config


def run(scenario: str, baseline: str, *, progress: bool = False, **options: Any) -> RunResult:
    """Trains a method on a stream in this process and writes the result file, as ``clbench run`` does.

    A run that is done already is read from its result file; one that was stopped continues.

    Args:
        scenario: The name of a scenario, or the path of its YAML file.
        baseline: The name of a method, or an import path such as ``my_module.MyMethod``.
        progress: Whether to show progress bars.
        options: The options of ``clbench run``, which are the other fields of ``RunConfig``;
            ``arguments={...}`` holds those of the method itself.

    Raises:
        UserError: An option is wrong, or the result file holds a run with other options.

    Example:
        >>> result = run("pydocs-cil", "ewc", tuning="frozen", epochs=2, arguments={"strength": 1000})
        >>> accuracy = result.metrics["average_accuracy"]
    """
    built = prepare(run_config({"scenario": scenario, "baseline": baseline, **options}), progress=progress)
    return finished(built) or execute(built, progress=progress)
