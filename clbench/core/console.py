"""Output that nothing depends on: where it cannot be written, the work goes on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

EVERY = 30.0
"""Seconds between two lines of progress where the output is no terminal."""


class SafeStream:
    """Standard error that swallows what a closed pipe, a full disk or an ASCII terminal raises."""

    def write(self, text: str) -> int:
        """Writes ``text`` as far as the terminal takes it."""
        with suppress(OSError, ValueError):
            encoding = sys.stderr.encoding or "utf-8"
            sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Flushes standard error."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()


def time_left(seconds: float) -> str:
    """Seconds that are left, as a person would say it.

    Example:
        >>> time_left(45.2), time_left(300)
        ('about 45 s left', 'about 5 min left')
    """
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


def say(text: str) -> None:
    """Prints lines to standard output; if nobody reads it any more, they are lost without an error."""
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        forget_output()


def forget_output() -> None:
    """Sends standard output to nowhere: what is still in its buffer fails no more when the process ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
