"""Finds the documented objects of a source file by parsing it; nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["module", "class", "function", "method"]
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One object with a docstring.

    Attributes:
        name: The qualified name, module included: ``package.module.Class.method``.
        kind: What it is in the code.
        docstring: Its docstring without the common indent.
        node: Its code.
    """

    name: str
    kind: Kind
    docstring: str
    node: ast.Module | ast.ClassDef | _Function

    @property
    def returns(self) -> bool | None:
        """Whether the code returns or yields a value; None for what is no function, and for stubs."""
        return returns_value(self.node) if isinstance(self.node, _Function) else None

    @property
    def types(self) -> dict[str, str]:
        """The annotations of the arguments (of ``__init__`` for a class), as source text."""
        if isinstance(self.node, ast.ClassDef):
            for item in self.node.body:
                if isinstance(item, _Function) and item.name == "__init__":
                    return _annotations(item)
        return _annotations(self.node) if isinstance(self.node, _Function) else {}


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below ``node`` that run in its own frame: not those of nested functions and classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _Function | ast.ClassDef | ast.Lambda):
            yield child
            yield from _own(child)


def _is_stub(body: list[ast.stmt]) -> bool:
    """Whether a function's code is nothing but its docstring, ``pass``, ``...`` or a raised error."""
    return all(
        isinstance(node, ast.Pass | ast.Raise)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def returns_value(function: _Function) -> bool | None:
    """Whether ``function`` returns or yields something other than None; None for a stub."""
    if _is_stub(function.body):
        return None
    for node in _own(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.Return) and node.value is not None:
            nothing = isinstance(node.value, ast.Constant) and node.value.value is None
            if not nothing:
                return True
    return False


def _annotations(function: _Function) -> dict[str, str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {item.arg: ast.unparse(item.annotation) for item in every if item.annotation is not None}


def _objects(body: list[ast.stmt], prefix: str, *, in_class: bool) -> Iterator[Source]:
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _objects(node.body, prefix, in_class=in_class)
        elif isinstance(node, ast.ClassDef):
            name = f"{prefix}.{node.name}"
            if docstring := ast.get_docstring(node):
                yield Source(name, "class", docstring, node)
            yield from _objects(node.body, name, in_class=True)
        elif isinstance(node, _Function) and (docstring := ast.get_docstring(node)):
            kind: Kind = "method" if in_class else "function"
            yield Source(f"{prefix}.{node.name}", kind, docstring, node)


def extract(source: str, module: str) -> list[Source]:
    """The documented objects of ``source``, in the order of the file; none if it does not parse.

    Args:
        source: The text of a Python file.
        module: The dotted name of its module.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # templates, files for another Python, null bytes
        return []
    found = list(_objects(tree.body, module, in_class=False))
    if docstring := ast.get_docstring(tree):
        found.insert(0, Source(module, "module", docstring, tree))
    return found
