"""Finding methods: entry points of the group ``clbench.baselines``, or any class by its import path."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clbench.core.errors import UserError, shown, unknown

if TYPE_CHECKING:
    from clbench.methods.learner import ContinualLearner

PROVIDED = ("context", "network")
"""Arguments of a learner that come from the run or its class, never from a user."""


def baseline_names() -> dict[str, EntryPoint]:
    """The declared methods of every installed package, by name."""
    return dict(_declared())


@functools.cache
def _declared() -> Mapping[str, EntryPoint]:
    """Read once: it takes ten milliseconds, and an experiment asks for each of its runs."""
    return {entry.name: entry for entry in entry_points(group="clbench.baselines")}


def baseline_class(name: str) -> type[ContinualLearner]:
    """The class of a method.

    Args:
        name: A declared name such as ``ewc``; an import path such as ``my_package.my_method.MyMethod``, which
            may start in the current folder; or ``my_method`` for the only method in ``my_method.py`` of the
            current folder or its folder ``baselines``.

    Raises:
        UserError: There is no such method, or it is not a ``ContinualLearner``.
    """
    found: Any
    if "." in name:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"baseline {shown(name)}: expected a name or an import path such as module.Class")
        found = _imported(name)
    elif name in (known := baseline_names()):
        found = known[name].load()
    elif name.isidentifier() and _is_file(Path(f"{name}.py")):
        found = _only_method(name)
    elif name.isidentifier() and _is_file(Path("baselines", f"{name}.py")):
        found = _only_method(f"baselines.{name}")
    else:
        place = f"{shown(f'{name}.py')} in this folder or in baselines/"
        raise UserError(f"no file {place}, and {unknown('baseline', name, known)}")
    from clbench.methods.learner import ContinualLearner  # imports torch

    if not (inspect.isclass(found) and issubclass(found, ContinualLearner)):
        raise UserError(f"baseline '{name}' is not a subclass of clbench.ContinualLearner")
    return found


def arguments_of(baseline: type[ContinualLearner]) -> dict[str, Any]:
    """The arguments that a method adds to its context, with their defaults."""
    parameters = inspect.signature(baseline).parameters.values()
    return {each.name: each.default for each in parameters if each.name not in PROVIDED}


def import_path(baseline: type[ContinualLearner]) -> str:
    """What ``baseline_class`` finds this class by."""
    return f"{baseline.__module__}.{baseline.__qualname__}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for a file
        return False


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(_module(module), name)
    except AttributeError as error:
        raise UserError(f"baseline '{path}': module '{module}' has no '{name}'") from error


def _only_method(name: str) -> type[ContinualLearner]:
    """The one method that a module defines."""
    from clbench.methods.learner import ContinualLearner

    module = _module(name)
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == name]
    found = [each for each in classes if issubclass(each, ContinualLearner)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"{module.__file__}: no subclass of clbench.ContinualLearner")
    paths = " or ".join(import_path(each) for each in found)
    raise UserError(f"{module.__file__}: several methods; choose {paths}")


def _module(name: str) -> ModuleType:
    """Imports a module; the current folder, and its folder ``baselines``, are looked in as well."""
    here = Path.cwd()
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    try:
        package = name.partition(".")[0]
        if package == "baselines":  # the installed package of that name would hide the folder
            paths = importlib.import_module(package).__path__
            if str(here / package) not in paths:
                paths.append(str(here / package))
        return importlib.import_module(name)
    except SyntaxError as error:
        raise UserError(f"baseline: module '{name}', line {error.lineno}: {error.msg}") from error
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # the module exists, and one that it imports does not: its traceback says which
        raise UserError(f"baseline: there is no module '{error.name}' in this folder or installed") from error
