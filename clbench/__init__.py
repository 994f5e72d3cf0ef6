"""A benchmark of continual learning methods for small language models.

The names in ``__all__`` are the public interface; everything else may change without notice. They are loaded
when they are first used, so that ``import clbench`` itself is fast.

Example:
    >>> import clbench
    >>> result = clbench.run("pydocs-cil", "ewc", tuning="frozen", arguments={"strength": 1000.0})
    >>> runs = clbench.load_results("runs")  # a pandas DataFrame, one row per run
    >>> figure = clbench.reporting.stream_accuracy_figure(runs)
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clbench import reporting
    from clbench.core.batch import Batch
    from clbench.core.errors import UserError
    from clbench.core.result import RunResult
    from clbench.core.scenario import Scenario
    from clbench.engine.api import run
    from clbench.methods.dkvb.bottleneck import KeyValueBottleneck
    from clbench.methods.learner import ContinualLearner
    from clbench.models.context import RunContext
    from clbench.reporting.load import load_results

__all__ = [
    "Batch",
    "ContinualLearner",
    "KeyValueBottleneck",
    "RunContext",
    "RunResult",
    "Scenario",
    "UserError",
    "load_results",
    "reporting",
    "run",
]
__version__ = version("clbench")

_MODULES = {
    "Batch": "core.batch",
    "ContinualLearner": "methods.learner",
    "KeyValueBottleneck": "methods.dkvb.bottleneck",
    "RunContext": "models.context",
    "RunResult": "core.result",
    "Scenario": "core.scenario",
    "UserError": "core.errors",
    "load_results": "reporting.load",
    "run": "engine.api",
}


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used (PEP 562)."""
    if name == "reporting":
        return importlib.import_module("clbench.reporting")
    if name not in _MODULES:
        raise AttributeError(f"module 'clbench' has no attribute '{name}'")
    globals()[name] = value = getattr(importlib.import_module(f"clbench.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
