"""What ``clbench list`` says about methods, without importing their modules: that takes seconds."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from clbench.core.types import FAMILIES, TUNINGS
from clbench.engine.method_source import NotLiteralError, classes_in_source, origin
from clbench.methods.info import MethodInfo


def method_info(entry: EntryPoint) -> MethodInfo:
    """The ``info`` of a method, read from the source of its module.

    The module is imported only where the class does not declare ``info = MethodInfo(...)`` with literal
    values, or ``info = dataclasses.replace(Other.info, ...)`` where ``Other`` or a base of it does so.
    """
    try:
        return _declared(entry.module, entry.attr)
    except (NotLiteralError, ValueError, TypeError):
        info: MethodInfo = entry.load().info
        return info


def _declared(module: str, name: str) -> MethodInfo:
    """The ``info`` of a class, its own or that of its first base with one.

    Raises:
        NotLiteralError, ValueError, TypeError: It is not literal.
    """
    assigned = [
        (place, each.value)
        for place, node in classes_in_source(module, name)
        for each in node.body
        if isinstance(each, ast.Assign) and [ast.unparse(target) for target in each.targets] == ["info"]
    ]
    if not assigned or not isinstance(assigned[0][1], ast.Call):
        raise ValueError("not a call")
    module, call = assigned[0][0], assigned[0][1]
    values: dict[str, Any] = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    function, arguments = ast.unparse(call.func), [ast.unparse(each) for each in call.args]
    if function == "MethodInfo" and not arguments:
        return MethodInfo(**values)
    if function == "dataclasses.replace" and len(arguments) == 1 and arguments[0].endswith(".info"):
        other = _declared(*origin(module, arguments[0].removesuffix(".info")))
        return dataclasses.replace(other, **values)
    raise ValueError("another call")


def method_rows(entries: Mapping[str, EntryPoint]) -> list[tuple[str, str]]:
    """Name, and tunings, kinds of memory beyond the trained weights, and paper, of each method, by family."""
    rows = [("name", f"{'tunings':<25}  {'memory':<19}  paper")]
    for family, infos in _by_family({name: method_info(entry) for name, entry in entries.items()}):
        rows.append((f"{family}:", ""))
        for name, info in infos.items():
            memory = ", ".join(dict.fromkeys(info.memory.values())) or "-"
            facts = f"{' '.join(info.tunings):<25}  {memory:<19}  {info.paper}".rstrip()
            rows.append((f"  {name}", facts))
    return rows


def method_table(infos: Mapping[str, MethodInfo]) -> str:
    """The facts about methods as a Markdown table, a line each, by family."""
    rows = [TABLE, "|---" * (TABLE.count("|") - 1) + "|"]
    for family, members in _by_family(infos):
        rows.append(f"| **{family}** |" + " |" * (TABLE.count("|") - 2))
        for name, info in members.items():
            tunings = "all" if info.tunings == TUNINGS else ", ".join(info.tunings)
            memory = dict.fromkeys([*([] if info.gradient_free else ["weights"]), *info.memory.values()])
            facts = (info.summary, _linked(info.paper), tunings, ", ".join(memory), info.cost)
            deviations = "; ".join(info.deviations)
            rows.append(" | ".join([f"| `{name}`", *(each or "-" for each in (*facts, deviations))]) + " |")
    return "\n".join(rows) + "\n"


TABLE = "| Name | Method | Paper | Tunings | Carries | Cost | Differs from the paper |"


def _by_family(infos: Mapping[str, MethodInfo]) -> Iterator[tuple[str, dict[str, MethodInfo]]]:
    """The families that have members, and their methods by name."""
    for family in FAMILIES:
        members = {name: info for name, info in sorted(infos.items()) if info.family == family}
        if members:
            yield family, members


def _linked(paper: str) -> str:
    """A citation whose identifier is a link."""
    paper = re.sub(r"arXiv (\S+)$", r"[\1](https://arxiv.org/abs/\1)", paper)
    return re.sub(r"doi (\S+)$", r"[doi](https://doi.org/\1)", paper)
