"""Reads what a method declares from the source of its module: importing the module takes seconds."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import operator
import sys
from collections.abc import Mapping
from importlib.abc import InspectLoader
from importlib.util import find_spec
from typing import Any

from clbench.engine.options import NOT_OPTIONS, Option, described

_CHEAP = ("typing", "collections", "pathlib", "clbench.core")
"""Packages whose names in annotations are imported; those of other modules are read from their source."""


class NotLiteralError(Exception):
    """A declaration that only an import of its module can tell."""


@functools.cache
def options_in_source(module: str, name: str) -> Mapping[str, Option]:
    """The options of a method, as ``options_of`` has them for its class.

    Raises:
        NotLiteralError: The source is not there, or a type or default is no literal.
    """
    classes = classes_in_source(module, name)
    docstrings = [ast.get_docstring(node) or "" for _, node in classes]
    for place, node in classes:
        for each in node.body:
            if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                return _options(place, each.args, described(docstrings))
    raise NotLiteralError(f"{name}: no constructor")


def _class_in_source(module: str, name: str) -> ast.ClassDef:
    """The definition of a class.

    Raises:
        NotLiteralError: It is not in the source of the module.
    """
    for node in _parsed(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise NotLiteralError(f"{module}: no class {name}")


@functools.cache
def _parsed(module: str) -> ast.Module:
    try:
        spec = find_spec(module)
        source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
        return ast.parse(source or "")
    except (ImportError, SyntaxError, ValueError) as error:
        raise NotLiteralError(f"{module}: {error}") from error


def classes_in_source(module: str, name: str) -> list[tuple[str, ast.ClassDef]]:
    """A class and those that it inherits from, as far as they are classes of clbench or the method's."""
    found, left = [], [(module, name)]
    while left:
        place, each = left.pop(0)
        node = _class_in_source(place, each)
        found.append((place, node))
        for base in node.bases:
            if not isinstance(base, ast.Name):  # lightning.LightningModule
                continue
            imported = origin(place, base.id)
            if imported[0] not in sys.stdlib_module_names:
                left.append(imported)
    return found


def origin(module: str, name: str) -> tuple[str, str]:
    """The module that a name in a module comes from, and the name there."""
    return _imported(module).get(name, (module, name))


@functools.cache
def _imported(module: str) -> Mapping[str, tuple[str, str]]:
    """For each name that a module imports from another one: that module, and its name there."""
    return {
        each.asname or each.name: (node.module or "", each.name)
        for node in _parsed(module).body
        if isinstance(node, ast.ImportFrom) and not node.level
        for each in node.names
    }


def _options(module: str, arguments: ast.arguments, texts: Mapping[str, str]) -> dict[str, Option]:
    if arguments.vararg or arguments.kwarg:
        raise NotLiteralError("a variable number of arguments")
    names = [*arguments.posonlyargs, *arguments.args]
    without: list[ast.expr | None] = [None] * (len(names) - len(arguments.defaults))
    pairs = list(zip(names, [*without, *arguments.defaults], strict=True))[1:]  # without self
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        each.arg: Option(
            Any if each.annotation is None else _value(module, each.annotation),
            inspect.Parameter.empty if default is None else _value(module, default),
            texts.get(each.arg, ""),
        )
        for each, default in pairs
        if each.arg not in NOT_OPTIONS
    }


def _value(module: str, node: ast.expr) -> Any:
    """What an annotation or a default stands for."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return _named(module, node.id)
        case ast.Attribute(value=ast.Name(id=name)) if name in _imported(module):  # of a module
            return _named(".".join(_imported(module)[name]), node.attr)
        case ast.Subscript():
            return operator.getitem(_value(module, node.value), _value(module, node.slice))
        case ast.BinOp(op=ast.BitOr()):
            return operator.or_(_value(module, node.left), _value(module, node.right))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Tuple() | ast.List():
            values = [_value(module, each) for each in node.elts]
            return tuple(values) if isinstance(node, ast.Tuple) else values
    raise NotLiteralError(ast.unparse(node))


@functools.cache
def _named(module: str, name: str) -> Any:
    """What a name in a module stands for: an assigned literal, an imported type, a built-in type."""
    for node in _parsed(module).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in targets
        ):
            return _value(module, node.value)
    if name in _imported(module):
        place, there = _imported(module)[name]
        if any(place == each or place.startswith(f"{each}.") for each in _CHEAP):
            return getattr(importlib.import_module(place), there)
        return _named(place, there)
    if isinstance(found := getattr(builtins, name, None), type):
        return found
    raise NotLiteralError(f"{module}: {name}")
