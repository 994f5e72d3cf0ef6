"""What ``clbench list`` says about methods, without importing their modules: that takes seconds."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from importlib.abc import InspectLoader
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import Any

from clbench.methods.info import MethodInfo


def method_info(entry: EntryPoint) -> MethodInfo:
    """The ``info`` of a method, read from the source of its module.

    The module is imported only where the class does not declare ``info = MethodInfo(...)`` with literal
    values, or ``info = dataclasses.replace(Other.info, ...)`` with ``Other`` in the same file.
    """
    spec = find_spec(entry.module)
    source = spec.loader.get_source(entry.module) if spec and isinstance(spec.loader, InspectLoader) else None
    classes = {each.name: each for each in ast.parse(source or "").body if isinstance(each, ast.ClassDef)}
    try:
        return _declared(entry.attr, classes)
    except (KeyError, ValueError, TypeError):
        info: MethodInfo = entry.load().info
        return info


def _declared(name: str, classes: Mapping[str, ast.ClassDef]) -> MethodInfo:
    """The ``info`` of a class; a KeyError or ValueError says that it is not literal."""
    assigned = {
        ast.unparse(target): each.value
        for each in classes[name].body
        if isinstance(each, ast.Assign)
        for target in each.targets
    }
    call = assigned["info"]
    if not isinstance(call, ast.Call):
        raise ValueError("not a call")
    values: dict[str, Any] = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    function, arguments = ast.unparse(call.func), [ast.unparse(each) for each in call.args]
    if function == "MethodInfo" and not arguments:
        return MethodInfo(**values)
    if function == "dataclasses.replace" and len(arguments) == 1 and arguments[0].endswith(".info"):
        return dataclasses.replace(_declared(arguments[0].removesuffix(".info"), classes), **values)
    raise ValueError("another call")


def method_rows(entries: Mapping[str, EntryPoint]) -> list[tuple[str, str]]:
    """Name, and tunings, kinds of memory beyond the trained weights, and paper, of each method."""
    rows = []
    for name, entry in sorted(entries.items()):
        info = method_info(entry)
        memory = ", ".join(dict.fromkeys(info.memory.values())) or "-"
        rows.append((name, f"{' '.join(info.tunings):<25}  {memory:<19}  {info.paper}".rstrip()))
    return [("name", f"{'tunings':<25}  {'memory':<19}  paper"), *rows]
