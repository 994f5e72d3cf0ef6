"""Reads Python source files: documented objects, the parts of docstrings, types and returned values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from clbench.data.pydocs import prose

if TYPE_CHECKING:
    import docstring_parser

Kind: TypeAlias = Literal["module", "class", "function", "method"]
Node: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Code inside a docstring: doctests up to a blank line, fenced blocks, and directives with their content.
_CODE = re.compile(
    r"^ *(?:>>>|In \[|\$ )(?:.*\S.*\n?)*|^ *(```|~~~)[\s\S]*?(?:^ *\1.*|\Z)|^( *)\.\. .*(?:\n(?:\2 .*| *$))*",
    re.MULTILINE,
)
_HEADING = re.compile(r"^(\w[\w ]*)\n[-=~^]{3,} *$", re.MULTILINE)
#: The beginning of a paragraph that is code, a table, a heading or a list of arguments.
_NO_PROSE = re.compile(r" {4}|[|+=]|\S.*\n-{3,}$|[-*`\s]*\w+[`*]* \(`")


def objects(source: str, module: str) -> Iterator[tuple[str, Kind, Node]]:
    """The qualified name, kind and syntax tree of every documented, public object of a file."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # templates, files for another Python, null bytes
        return
    for name, kind, node in [(module, "module", tree), *_members(tree.body, module, "function")]:
        if not name.rpartition(".")[2].startswith("_") and ast.get_docstring(node, clean=False):
            yield name, kind, node


def _members(body: list[ast.stmt], prefix: str, kind: Kind) -> Iterator[tuple[str, Kind, Node]]:
    """The classes and functions of ``body``; ``kind`` is the kind of its functions."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _members(node.body, prefix, kind)
        elif isinstance(node, ast.ClassDef):
            yield f"{prefix}.{node.name}", "class", node
            yield from _members(node.body, f"{prefix}.{node.name}", "method")
        elif isinstance(node, _FUNCTION):
            yield f"{prefix}.{node.name}", kind, node


def parse(docstring: str) -> docstring_parser.Docstring:
    """The parts of a docstring in any of the usual conventions, without the code in it."""
    import docstring_parser  # here, because reports are made without it

    text = _CODE.sub("", docstring)
    # The parser recognizes a heading only by a line of as many dashes.
    return docstring_parser.parse(_HEADING.sub(lambda match: f"{match[1]}\n{'-' * len(match[1])}", text))


def paragraphs(text: str | None) -> Iterator[str]:
    """The paragraphs of ``text`` that are prose, cleaned, each with a full stop."""
    for block in re.split(r"\n\s*\n", text or ""):
        cleaned = "" if _NO_PROSE.match(block) else prose.clean(block)
        if prose.is_prose(cleaned, least=2):
            yield cleaned if cleaned.endswith((".", "!", "?")) else f"{cleaned}."


def argument_types(node: Node) -> dict[str, str]:
    """The annotations of the arguments of a function, or of the constructor of a class, as source text."""
    body = node.body if isinstance(node, ast.ClassDef) else [node]
    return {
        argument.arg: ast.unparse(argument.annotation)
        for function in body
        if isinstance(function, _FUNCTION) and (function is node or function.name == "__init__")
        for argument in ast.walk(function.args)
        if isinstance(argument, ast.arg) and argument.annotation
    }


def returns_value(node: Node) -> bool | None:
    """Whether a function returns or yields anything but None; None for stubs and for what is no function."""
    if not isinstance(node, _FUNCTION) or all(map(_is_stub, node.body)):
        return None
    nodes: list[ast.AST] = list(node.body)
    while nodes:
        inner = nodes.pop()
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Return) and inner.value and ast.unparse(inner.value) != "None":
            return True
        if not isinstance(inner, (*_FUNCTION, ast.ClassDef, ast.Lambda)):  # these have returns of their own
            nodes += ast.iter_child_nodes(inner)
    return False


def _is_stub(statement: ast.stmt) -> bool:
    """Whether a statement is ``pass``, ``...``, a docstring or a raised error."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Raise)
