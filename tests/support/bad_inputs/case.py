"""One bad input: a command line, the files that it reads, and what the command makes of it."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from clbench.cli import main

SECONDS = 60
"""The longest that a command may take; a refusal takes less than a second."""

Files = Mapping[str, str | bytes | Callable[[Path], None]]


@dataclass(frozen=True)
class Case:
    """A bad input.

    Attributes:
        group: Its kind, for the table.
        name: The case.
        words: The command line.
        files: What stands in the current folder: texts, bytes, or functions that write.
        environment: Variables.
        culprit: What the line must name.
        refused: Whether it must be refused; else a command that works is right as well.
    """

    group: str
    name: str
    words: tuple[str, ...]
    files: Files = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    culprit: str = ""
    refused: bool = True

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"

    def problems(self, folder: Path) -> list[str]:
        """What is wrong with the refusal: nothing if it is one line, exit code 2, and nothing written."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = _tree(folder)
        status, errors = self._run(folder)
        if not self.refused and status == 0:
            return []
        lines = errors.splitlines()
        found = [] if status == 2 else [f"exit {status}" if isinstance(status, int) else str(status)]
        found += [f"{len(lines)} lines"] if status == 2 and len(lines) != 1 else []
        found += [f"{len(lines[-1])} characters"] if lines and len(lines[-1]) > 200 else []
        found += ["culprit not named"] if self.culprit not in errors.replace("-", "_") else []
        found += ["traceback"] if "Traceback" in errors else []
        if self.refused and (made := sorted(_tree(folder) - before)):
            found.append(f"wrote {made[:3]}")
        return found

    def _run(self, folder: Path) -> tuple[int | str, str]:
        out, errors = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
            mock.patch.dict(os.environ, {"WANDB_MODE": "offline", **self.environment}),
            mock.patch.object(sys, "path", [*sys.path]),
            mock.patch.object(sys, "dont_write_bytecode", True),  # Python's own files are not the command's
            _limited(SECONDS),
        ):
            try:
                return main([word.replace("$W", str(folder)) for word in self.words]), errors.getvalue()
            except SystemExit as end:
                return f"SystemExit {end.code}", errors.getvalue()
            except BaseException as error:
                return f"{type(error).__name__}: {error}"[:100], errors.getvalue()


class TooSlowError(BaseException):
    """The command did not end in time."""


@contextlib.contextmanager
def _limited(seconds: int):
    def stop(*_):
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
