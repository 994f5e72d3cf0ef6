"""Errors that a user caused and can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 30
"""Known names in a message."""


class UserError(Exception):
    """Bad input. Its message is one line: the file, key or value, and what would be right.

    The command line prints it without a traceback and exits with status 2.
    """


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not one of ``known``, with the nearest right one first.

    Example:
        >>> print(unknown("baseline", "ewcc", ["ewc", "replay"]))
        unknown baseline 'ewcc'; did you mean 'ewc'? Known: ewc, replay
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return UserError(f"unknown {what} '{name}'; {hint}Known: {', '.join(names[:_SHOWN])}{more}")
