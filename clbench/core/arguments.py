"""The parser that all commands share: one-line errors, either dash spelling, flags for booleans."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from clbench.core.errors import UserError, shown, unknown
from clbench.core.ranges import Place, reader

DOCUMENTATION = "Documentation: README.md and docs/ in the repository."


class Parser(argparse.ArgumentParser):
    """The options of one command.

    Options are declared with dashes (``--data-dir``); ``--data_dir`` is accepted as well. A boolean is
    declared with ``action=argparse.BooleanOptionalAction``: ``--page`` and ``--no-page``, and also
    ``--page false``.

    Args:
        command: The words after ``clbench``.
        description: One sentence.
        example: A command line that works as it is.
        defaults: False leaves options that were not given out of the result.
    """

    def __init__(self, command: str, description: str, example: str, *, defaults: bool = True) -> None:
        super().__init__(
            prog=f"clbench {command}",
            description=description,
            epilog=f"example:\n  {example}\n\n{DOCUMENTATION}",
            formatter_class=_Help,
            argument_default=None if defaults else argparse.SUPPRESS,
            allow_abbrev=False,
        )

    def add_data_dir(self, text: str = "folder of the datasets") -> None:
        """Declares ``--data-dir``, with the environment variable CLBENCH_DATA as its default."""
        folder = os.environ.get("CLBENCH_DATA") or None
        self.add_argument("--data-dir", type=word(Place), metavar="DIR", default=folder, help=text)

    def add_results(self) -> None:
        """Declares the result files that a command reads, and ``--strict``."""
        self.add_argument(
            "results", nargs="*", type=word(Place), default=["runs"], help="result files or folders of them"
        )
        text = "stop at a file that is no valid result, instead of skipping it"
        self.add_argument("--strict", action="store_true", help=text)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The options on a command line.

        Raises:
            UserError: An option is unknown or missing, or a value is wrong.
        """
        options, rest = self.parse_known_args(self._normalized(words))
        for word in rest:
            if word.startswith("-"):
                raise self._unknown(word.partition("=")[0])
            raise UserError(f"unexpected argument {shown(word)}; see '{self.prog} --help'")
        return options

    def peek(self, words: Sequence[str]) -> argparse.Namespace:
        """The options declared so far, to declare others by them: neither help nor unknown options count."""
        normalized = [word for word in self._normalized(words) if word not in ("-h", "--help")]
        return self.parse_known_args(normalized)[0]

    def error(self, message: str) -> NoReturn:
        """Raises what argparse found wrong: ``clbench.cli.main`` prints it in one line."""
        raise UserError(message)

    def _unknown(self, name: str) -> UserError:
        known = [each for each in self._option_string_actions if each.startswith("--")]
        prefix = name.rpartition(".")[0]
        return unknown("option", name, [each for each in known if each.rpartition(".")[0] == prefix] or known)

    def _normalized(self, words: Sequence[str]) -> list[str]:
        """The words with dashes in the names of options, and with ``--no-page`` for ``--page false``."""
        left, found = list(words), []
        while left:
            word = left.pop(0)
            if not word.startswith("--"):
                found.append(word)
                continue
            name, equals, value = word.partition("=")
            name = name.replace("_", "-")
            action = self._option_string_actions.get(name)
            if not isinstance(action, argparse.BooleanOptionalAction):
                found.append(name + equals + value)
                continue
            if not equals and left and left[0].lower() in ("true", "false"):
                value = left.pop(0)
            if value.lower() not in ("", "true", "false"):
                raise UserError(f"option {name} is a flag: '{' or '.join(action.option_strings)}', no value")
            other = next(each for each in action.option_strings if each != name)
            found.append(other if value.lower() == "false" else name)
        return found


def word(kind: Any) -> Callable[[str], Any]:
    """What ``add_argument`` takes as the type of an option whose values are of a type with a range.

    Args:
        kind: One of the types of ``clbench.core.ranges``.
    """
    read = reader(kind)

    def checked(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{shown(text)}: {error}") from error

    return checked


class _Help(argparse.RawDescriptionHelpFormatter):
    """Adds the default to the help of an option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        silent = default is None or default is False or default in (argparse.SUPPRESS, [])
        return text if silent or "%(default)s" in text else f"{text} (default: %(default)s)"
