"""Errors that a user caused and can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST = 200
"""Characters of the line that a command prints for an error."""
_SHOWN = 60
"""Characters of a value in a message."""
_KNOWN = 110
"""Characters of the names that are listed in a message."""


class UserError(Exception):
    """Bad input. Its message is one line: the file, key or value, and what would be right.

    The command line prints it without a traceback and exits with status 2.
    """


class StoppedError(Exception):
    """A run cannot go on now, through no fault of its own, such as a full disk. Its message is one line.

    What it saved is kept, and the same command goes on from there. The command line exits with status 1.
    """


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not one of ``known``, with the nearest right one first.

    Example:
        >>> print(unknown("baseline", "ewcc", ["ewc", "replay"]))
        unknown baseline 'ewcc'; did you mean 'ewc'? Known: ewc, replay
    """
    names = sorted(map(str, known))
    near = difflib.get_close_matches(name[:_SHOWN], names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    listed: list[str] = []
    while len(listed) < len(names) and len(", ".join(names[: len(listed) + 1])) <= _KNOWN - len(hint):
        listed.append(names[len(listed)])
    left = len(names) - len(listed)
    more = [f"{left} more"] if left else []
    return UserError(f"unknown {what} {shown(name)}; {hint}Known: {', '.join(listed + more) or 'none'}")


def shown(value: Any) -> str:
    """A value as a message shows it: in one line, and a long one cut.

    Example:
        >>> shown("some"), shown(1.5)
        ("'some'", '1.5')
    """
    text = value if isinstance(value, str) else _repr(value)
    text = printable(text)
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return f"'{text}'" if isinstance(value, str) else text


def printable(text: str) -> str:
    """``text`` in one line: every character that a terminal would act on is escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def message(error: Exception) -> str:
    r"""What an exception of a library says, in one line; the name of its class if it says nothing.

    Example:
        >>> message(ValueError("two\n  lines")), message(ValueError())
        ('two lines', 'ValueError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def error_line(error: Exception) -> str:
    """The message of an error as a command prints it, in one line of at most ``LONGEST`` characters."""
    line = f"clbench: error: {printable(message(error))}"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _repr(value: Any) -> str:
    """The value as Python writes it, as far as it is short: a nested one can be huge."""
    if isinstance(value, list | tuple | set | frozenset | dict):
        return f"a {type(value).__name__} of {len(value)}" if len(value) > 5 else _short(value)
    return _short(value)


def _short(value: Any) -> str:
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested too deeply; too many digits
        return f"a value of type {type(value).__name__}"
