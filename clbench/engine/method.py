"""What is known of a method before a run, without importing its module where that is possible."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clbench.engine.listing import method_info
from clbench.engine.method_source import NotLiteralError, options_in_source
from clbench.engine.options import Option, options_of
from clbench.engine.registry import baseline_class, baseline_names, import_path
from clbench.methods.info import MethodInfo


@dataclass(frozen=True)
class Method:
    """A method as its class declares it.

    Attributes:
        path: Its import path.
        name: The name of its class.
        info: The facts about it.
        options: Its arguments.
    """

    path: str
    name: str
    info: MethodInfo
    options: Mapping[str, Option]


def find_method(name: str) -> Method:
    """The method of a name or import path; see ``baseline_class``.

    A declared one is read from its source, so that a wrong option costs no import of torch.

    Raises:
        UserError: There is no such method.
    """
    known = baseline_names()
    paths = {f"{entry.module}.{entry.attr}": each for each, entry in known.items()}
    declared = name if name in known else paths.get(name)
    if declared is not None:
        return _declared(declared)
    found = baseline_class(name)
    return Method(import_path(found), found.__name__, found.info, _imported(found))


def _imported(baseline: Any) -> Mapping[str, Option]:
    return options_of(baseline)


@functools.cache
def _declared(name: str) -> Method:
    entry = baseline_names()[name]
    try:
        options = options_in_source(entry.module, entry.attr)
    except NotLiteralError:
        options = _imported(baseline_class(name))
    return Method(f"{entry.module}.{entry.attr}", entry.attr, method_info(entry), options)
