"""The command line: ``clbench COMMAND``. Each command is a module here and imports what it needs."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from clbench.cli.stopping import end_children, stoppable
from clbench.core.arguments import DOCUMENTATION
from clbench.core.console import SafeStream, forget_output
from clbench.core.errors import StoppedError, UserError, error_line, printable, unknown

COMMANDS = {
    "list": "list scenarios, baselines, experiments and encoders",
    "run": "train one method on one stream",
    "reproduce": "run experiments, then make their tables and figures",
    "report": "make tables, figures and a page from result files",
    "data": "list, fetch and verify the paper's datasets",
    "tune": "search a method's hyperparameters on validation texts",
    "new-baseline": "write a baseline, its test and an experiment to start from",
    "bench": "measure the speed of the engine against a naive implementation",
    "wandb": "send results to Weights & Biases, and build dashboards there",
}
_TRAIN = {
    "datasets", "docstring_parser", "faiss", "filelock", "httpx", "huggingface_hub", "lightning", "peft",
    "pydantic", "safetensors", "torch", "torchmetrics", "tqdm", "transformers", "xxhash",
}  # fmt: skip
EXTRAS = {
    "train": _TRAIN,
    "tune": {*_TRAIN, "optuna"},
    "ray": {*_TRAIN, "psutil", "ray"},
    "wandb": {"httpx", "tqdm", "wandb", "wandb_workspaces"},
}
"""The optional packages by the extra of the installation that brings them."""
PATHS = {
    errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR,
    errno.EPERM, errno.EROFS,
}  # fmt: skip
"""What the system says of a path that cannot be read or written."""
_PACKAGE = Path(__file__).parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words of the command line; None takes those of this process, which ends with it.

    Returns:
        The exit status: 0 done, 1 a run failed or could not go on, 2 bad input (one line on standard error),
        130 Ctrl-C, 143 SIGTERM.
    """
    # No list() here: importing the command of that name replaces the built-in in this module.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    with stoppable(to_the_end=arguments is None) as stopping:
        try:
            status = _command(words)
        except KeyboardInterrupt:
            stopping.signal = stopping.signal or signal.SIGINT
        except BaseException:  # libraries make other errors of an interruption
            if stopping.signal is None:
                raise
        if stopping.signal is None:
            return status
        stopping.tell(SafeStream().write)
        if arguments is None:
            end_children()
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(stopping.status)  # the teardown of libraries takes seconds, and no thread limits it
        return stopping.status


def _command(words: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode shows "?"
            stream.reconfigure(errors="replace")
    # Lightning and transformers warn about choices that are made on purpose here.
    warnings.filterwarnings("ignore", module=r"(lightning|torch\.utils\.data|transformers)\..*")
    warnings.filterwarnings("ignore", "Sparse invariant checks", UserWarning)  # of torch's own optimizers
    warnings.formatwarning = _warning
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    try:
        if words[0] == "--version":
            from clbench import __version__

            print(f"clbench {__version__}")
            return 0
        if words[0] not in COMMANDS:
            raise unknown("command", words[0], COMMANDS)
        # Imports make a million objects that stay: looking at them again and again would take a second.
        gc.set_threshold(50_000, 20, 50)
        command = importlib.import_module(f"clbench.cli.{words[0].replace('-', '_')}")
        status: int = command.main(words[1:])
        sys.stdout.flush()
        return status
    except UserError as error:
        print(error_line(error), file=sys.stderr)
        return 2
    except StoppedError as error:
        print(error_line(error), file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extras = [name for name, packages in EXTRAS.items() if package in packages]
        if not extras:
            raise
        extra = words[0] if words[0] in extras else extras[0]
        print(f"clbench: error: {package} is missing: pip install 'clbench[{extra}]'", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough, as with "| head"
        forget_output()
        return 0
    except OSError as error:
        if error.errno not in PATHS or error.filename is None:
            raise
        print(error_line(UserError(f"{error.filename}: {error.strerror}")), file=sys.stderr)
        return 2


_warning_of_python = warnings.formatwarning


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of clbench in one line, and those of others as Python shows them."""
    if category is UserWarning and Path(filename).is_relative_to(_PACKAGE):
        return f"clbench: warning: {printable(str(message))}\n"
    return _warning_of_python(message, category, filename, lineno, line)


def _help() -> str:
    commands = "\n".join(f"  {name:<14}{summary}" for name, summary in COMMANDS.items())
    return (
        "usage: clbench COMMAND [options]\n\n"
        "A benchmark of continual learning methods for small language models.\n\n"
        f"commands:\n{commands}\n\n"
        "options:\n  --version     show the version\n  --help        show this help; "
        "'clbench COMMAND --help' shows the options of a command\n\n"
        "example:\n  clbench run --scenario pydocs-cil --baseline ewc --tuning frozen\n\n"
        f"{DOCUMENTATION}"
    )
