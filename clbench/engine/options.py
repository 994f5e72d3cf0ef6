"""The options that follow from a constructor: names, types, defaults and docstrings of its arguments."""

from __future__ import annotations

import argparse
import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import docstring_parser

from clbench.core.errors import UserError, unknown
from clbench.engine.registry import PROVIDED

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NOT_OPTIONS = {*PROVIDED, "arguments", "tune", "tuned", "search"}
"""Arguments of a method or of ``RunConfig`` that no user gives by an option of that name."""
METAVARS = {int: "INT", float: "FLOAT", Path: "PATH"}


@dataclass(frozen=True)
class Option:
    """One argument of a constructor.

    Attributes:
        type: As annotated; ``Any`` without an annotation.
        default: ``inspect.Parameter.empty`` where there is none.
        text: Its description in the docstring.
    """

    type: Any
    default: Any
    text: str

    @functools.cached_property
    def converter(self) -> TypeAdapter[Any]:
        """Checks a value and converts it to the type: the text ``1e-3`` becomes a float."""
        from pydantic import ConfigDict, TypeAdapter

        config = ConfigDict(coerce_numbers_to_str=True) if self.type is str else None  # YAML's "order: 1"
        return TypeAdapter(self.type, config=config)

    def declare(self, group: argparse._ArgumentGroup, flag: str, destination: str) -> None:
        """Adds the option to a group of a command's parser."""
        text = self.text.replace("%", "%%")
        if not any(self.default is each for each in (None, False, inspect.Parameter.empty)):
            text += f" (default: {'on' if self.default is True else self.default})"
        if self.type is bool:
            group.add_argument(flag, dest=destination, action=argparse.BooleanOptionalAction, help=text)
        else:
            group.add_argument(flag, dest=destination, metavar=self._metavar(), help=text)

    def _metavar(self) -> str:
        kinds = [each for each in get_args(self.type) or (self.type,) if each is not type(None)]
        words = [
            str(word) for kind in kinds for word in ((kind,) if isinstance(kind, str) else get_args(kind))
        ]
        return f"{{{','.join(words)}}}" if words else METAVARS.get(kinds[0], "TEXT")


@functools.cache
def options_of(owner: type) -> Mapping[str, Option]:
    """The options of ``RunConfig`` or of a method, by name."""
    hints = get_type_hints(owner.__init__)  # type: ignore[misc]  # the constructor of this very class
    texts: dict[str, str] = {}
    for each in reversed(owner.__mro__):  # an argument may be documented where it is inherited from
        parsed = docstring_parser.parse(each.__doc__ or "")
        texts |= {entry.arg_name: " ".join((entry.description or "").split()) for entry in parsed.params}
    return {
        name: Option(hints.get(name, Any), parameter.default, texts.get(name, ""))
        for name, parameter in inspect.signature(owner).parameters.items()
        if name not in NOT_OPTIONS
    }


def converted(owner: type, values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Values for options of ``owner``, each converted to its type.

    Raises:
        UserError: A name is unknown, or a value is not of its type; ``what`` names the kind of option.
    """
    from pydantic import ValidationError

    options, found = options_of(owner), {}
    for name, value in values.items():
        if name not in options:
            raise unknown(what, name, options)
        try:
            found[name] = options[name].converter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise UserError(f"{what} {name} is {value!r}: {reason[0].lower()}{reason[1:]}") from error
    return found
