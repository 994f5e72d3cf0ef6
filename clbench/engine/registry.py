"""Finding methods: entry points of the group ``clbench.baselines``, or any class by its import path."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.errors import UserError, unknown

if TYPE_CHECKING:
    from clbench.methods.learner import ContinualLearner

PROVIDED = ("context", "network")
"""Arguments of a learner that come from the run or its class, never from a user."""


def baseline_names() -> dict[str, EntryPoint]:
    """The declared methods of every installed package, by name."""
    return {entry.name: entry for entry in entry_points(group="clbench.baselines")}


def baseline_class(name: str) -> type[ContinualLearner]:
    """The class of a method.

    Args:
        name: A declared name such as ``ewc``, or an import path such as ``my_package.my_method.MyMethod``;
            modules of the current folder are found too.

    Raises:
        UserError: There is no such method, or it is not a ``ContinualLearner``.
    """
    from clbench.methods.learner import ContinualLearner

    found: Any
    if "." in name:
        found = _imported(name)
    elif name in (known := baseline_names()):
        found = known[name].load()
    else:
        raise unknown("baseline", name, known)
    if not (inspect.isclass(found) and issubclass(found, ContinualLearner)):
        raise UserError(f"baseline '{name}' is not a subclass of clbench.methods.learner.ContinualLearner")
    return found


def arguments_of(baseline: type[ContinualLearner]) -> dict[str, Any]:
    """The arguments that a method adds to its context, with their defaults."""
    parameters = inspect.signature(baseline).parameters.values()
    return {each.name: each.default for each in parameters if each.name not in PROVIDED}


def import_path(baseline: type[ContinualLearner]) -> str:
    """What ``baseline_class`` finds this class by."""
    return f"{baseline.__module__}.{baseline.__qualname__}"


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # the module is there and lacks something of its own: its traceback says what
        raise UserError(f"baseline '{path}': there is no module '{error.name}' here") from error
    except AttributeError as error:
        raise UserError(f"baseline '{path}': module '{module}' has no '{name}'") from error
