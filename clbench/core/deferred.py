"""Parts of libraries that are imported when they are used, and not when the library is imported.

``import lightning`` takes four seconds of processor time. Most of it goes to what no run uses: torchmetrics
imports all of its metrics with scipy, matplotlib and transformers, and torch its compiler. ``defer`` puts
packages in their place that hold the few names which are read while lightning is imported. A package loads
as a whole, in the same module object, when any other name is read: code that uses it sees no difference.
"""

from __future__ import annotations

import functools
import gc
import importlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Names = Mapping[str, Callable[[ModuleType], Any]]
"""By name, what makes the value of a module's attribute while the module is not loaded."""


class _Deferred(ModuleType):
    """A module that loads when a name is read that it does not have yet.

    Args:
        name: Its name.
        loader: Loads it.
        names: What can be read without loading it.
    """

    def __init__(self, name: str, loader: Loader, names: Names) -> None:
        super().__init__(name)
        self.__dict__["_deferred"] = (loader, names)

    def __getattr__(self, name: str) -> Any:
        _, names = self.__dict__["_deferred"]
        if name in names:
            return names[name](self)
        if name.startswith("__"):  # what the import system asks any module for
            raise AttributeError(name)
        _load(self)
        return getattr(self, name)


def _load(module: ModuleType) -> None:
    """Turns a deferred module into the module that it stands for."""
    if isinstance(module, _Deferred):
        loader, _ = module.__dict__.pop("_deferred")
        object.__setattr__(module, "__class__", ModuleType)
        loader.exec_module(module)


class _Finder(MetaPathFinder, Loader):
    """Finds the modules that are to be deferred; each has the file and the folder of its original."""

    def __init__(self, modules: Mapping[str, Names]) -> None:
        self._modules = modules
        self._loaders: dict[str, Loader] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self._modules:
            return self._deferred(fullname, path)
        parent = sys.modules.get(fullname.rpartition(".")[0])
        if not isinstance(parent, _Deferred) or fullname in _ALONE:
            return None
        _load(parent)  # as always: a package before its modules
        loaded = sys.modules.get(fullname)
        return None if loaded is None else ModuleSpec(fullname, _Loaded(loaded))

    def _deferred(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            self._loaders[fullname], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Deferred(spec.name, self._loaders[spec.name], self._modules[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """Does nothing: the module loads when it is used."""


class _Loaded(Loader):
    """Gives a module that was imported meanwhile, when its package loaded."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def defer() -> None:
    """Makes the start of a process short; call it before anything imports torch.

    Defers what lightning imports and no run uses; modules that are imported already stay as they are. The
    collector of reference cycles comes less often: imports make a million objects that stay, and it would
    look at all of them again and again.
    """
    gc.set_threshold(50_000, 20, 50)
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder(_MODULES))


def _guard(name: str) -> Callable[[ModuleType], Any]:
    """A condition on shapes: it is what it is, unless it is symbolic, which only a compiler makes it."""

    def made(module: ModuleType) -> Any:
        def guard(condition: Any) -> Any:
            if isinstance(condition, bool):
                return condition
            _load(module)
            return getattr(module, name)(condition)

        return guard

    return made


def _from(module: str, name: str) -> Callable[[ModuleType], Any]:
    """The attribute of a submodule that can be imported without the rest of its package."""
    return lambda package: getattr(importlib.import_module(f"{package.__name__}.{module}"), name)


def _metric(name: str, module: str) -> Callable[[ModuleType], Any]:
    """A class of torchmetrics; its module and the utilities import each other, the utilities first."""

    def found(package: ModuleType) -> Any:
        importlib.import_module("torchmetrics.utilities")
        return getattr(importlib.import_module(module), name)

    return found


def _call(name: str) -> Callable[[ModuleType], Any]:
    """A function that loads its module when it is called."""

    def made(module: ModuleType) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            _load(module)
            return getattr(module, name)(*args, **kwargs)

        return call

    return made


def _optimized_module(compiler: ModuleType) -> type:
    """``OptimizedModule`` for ``isinstance``: without the compiler, nothing is one."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            if isinstance(compiler, _Deferred):
                return False
            return isinstance(instance, compiler.OptimizedModule)

    return Kind("OptimizedModule", (), {})


def _disable(compiler: ModuleType) -> Any:
    """``disable``: a function that the compiler must not compile needs no change without the compiler."""

    def disable(fn: Callable[..., Any], recursive: bool = True, **options: Any) -> Callable[..., Any]:
        made: list[Callable[..., Any]] = []

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            if isinstance(compiler, _Deferred):
                return fn(*args, **kwargs)
            if not made:
                made.append(compiler.disable(fn, recursive, **options))
            return made[0](*args, **kwargs)

        return call

    return disable


_MODULES: Mapping[str, Names] = {
    "torch._dynamo": {  # "graph_break" marks a place for the compiler, and does nothing by itself
        "OptimizedModule": _optimized_module,
        "disable": _disable,
        "graph_break": lambda compiler: lambda msg="": None,
    },
    "torch.fx.experimental.symbolic_shapes": {  # sympy, for the decomposition of matrix products
        "guard_or_false": _guard("guard_or_false"),
        "guard_or_true": _guard("guard_or_true"),
    },
    "torchmetrics": {
        "_logger": lambda package: logging.getLogger(package.__name__),
        "__version__": _from("__about__", "__version__"),
        "Metric": _metric("Metric", "torchmetrics.metric"),
        "MetricCollection": _metric("MetricCollection", "torchmetrics.collections"),
    },
    "torchmetrics.utilities.plot": {  # matplotlib
        "_AX_TYPE": lambda module: object,
        "_PLOT_OUT_TYPE": lambda module: object,
        "plot_single_or_multi_val": _call("plot_single_or_multi_val"),
        "plot_curve": _call("plot_curve"),
        "plot_confusion_matrix": _call("plot_confusion_matrix"),
    },
}
_ALONE = (
    "torchmetrics.__about__",
    "torchmetrics.utilities",
    "torchmetrics.metric",
    "torchmetrics.collections",
)
"""Modules of deferred packages that are imported without the rest of their package."""
