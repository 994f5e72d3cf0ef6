"""The options that follow from a constructor: names, types, defaults and docstrings of its arguments."""

from __future__ import annotations

import argparse
import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import docstring_parser

from clbench.core.errors import UserError, shown, unknown
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
        type: As annotated, with the range of its values; ``Any`` without an annotation.
        default: ``inspect.Parameter.empty`` where there is none.
        text: Its description in the docstring.
    """

    type: Any
    default: Any
    text: str

    @functools.cached_property
    def converter(self) -> TypeAdapter[Any]:
        """Checks a value and converts it to the type: the text ``1e-3`` becomes a float."""
        from pydantic import ConfigDict, PydanticUserError, TypeAdapter

        try:  # numbers become texts for YAML's "order: 1"
            text = _plain(self.type) is str
            config = ConfigDict(coerce_numbers_to_str=text, allow_inf_nan=False)
            return TypeAdapter(self.type, config=config)
        except PydanticUserError:  # a data class has a configuration of its own
            return TypeAdapter(self.type)

    def converted(self, value: Any) -> Any:
        """The value in the declared type.

        Raises:
            ValueError: It is not of the type or outside its range; the message is one line.
        """
        from pydantic import ValidationError

        try:
            # Strictly, true is no number, and neither 1 nor the text "no" is a boolean.
            strict = isinstance(value, bool) or self.type is bool
            return self.converter.validate_python(value, strict=strict or None)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"{reason[0].lower()}{reason[1:]}") from error
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error

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
        members = () if get_origin(self.type) is Annotated else get_args(self.type)
        kinds = [_plain(each) for each in members or (self.type,) if each is not type(None)]
        words = [
            str(word) for kind in kinds for word in ((kind,) if isinstance(kind, str) else get_args(kind))
        ]
        return f"{{{','.join(words)}}}" if words else METAVARS.get(kinds[0], "TEXT")


def _plain(kind: Any) -> Any:
    """A type without its range."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


@functools.cache
def options_of(owner: Any) -> Mapping[str, Option]:
    """The options of a class, ``RunConfig`` or a method, by name."""
    hints = get_type_hints(owner.__init__, include_extras=True)
    texts = described([each.__doc__ or "" for each in owner.__mro__])
    return {
        name: Option(hints.get(name, Any), parameter.default, texts.get(name, ""))
        for name, parameter in inspect.signature(owner).parameters.items()
        if name not in NOT_OPTIONS
    }


def described(docstrings: list[str]) -> dict[str, str]:
    """The descriptions of arguments in the docstrings of a class and of those that it inherits from."""
    texts: dict[str, str] = {}
    for each in reversed(docstrings):
        parsed = docstring_parser.parse(each)
        texts |= {entry.arg_name: " ".join((entry.description or "").split()) for entry in parsed.params}
    return texts


def converted(options: Mapping[str, Option], values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Values for options, each converted to its type.

    Raises:
        UserError: A name is unknown, or a value is not of its type; ``what`` names the kind of option.
    """
    found = {}
    for name, value in values.items():
        if name not in options:
            raise unknown(what, str(name), options)
        try:
            found[name] = options[name].converted(value)
        except ValueError as error:
            raise UserError(f"{what} {name} is {shown(value)}: {error}") from error
    return found
