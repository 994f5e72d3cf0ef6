"""The command line: ``clbench COMMAND``. Each command is a module here and imports what it needs."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from clbench.core.errors import UserError, unknown

COMMANDS = {
    "list": "scenarios, baselines, experiments and encoders there are",
    "run": "train one method on one stream",
    "reproduce": "run an experiment, then make its tables and plots",
    "bench": "measure the engine against its naive form",
    "tune": "search a method's settings on validation texts",
    "new-baseline": "write a baseline, its test and an experiment to start from",
    "data": "list, fetch and verify the paper's datasets",
    "report": "make tables and plots from result files",
    "wandb": "send results to Weights & Biases, and build dashboards there",
}
_TRAIN = {
    "datasets", "faiss", "filelock", "httpx", "huggingface_hub", "lightning", "peft", "safetensors", "torch",
    "torchmetrics", "tqdm", "transformers",
}  # fmt: skip
EXTRAS = {
    "train": _TRAIN,
    "tune": {*_TRAIN, "optuna"},
    "wandb": {"httpx", "tqdm", "wandb", "wandb_workspaces"},
}
"""The optional packages by the extra of the installation that brings them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit status: 0 done, 1 a run failed, 2 bad input (one line on standard error).
    """
    # No list() here: importing the command of that name puts its module in the place of the built-in.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    # Lightning and transformers warn about choices that are made on purpose here.
    warnings.filterwarnings("ignore", module=r"(lightning|torch\.utils\.data|transformers)\..*")
    if not words or words[0] in ("-h", "--help"):
        print("usage: clbench COMMAND [options]\n")
        print("\n".join(f"  {name:<14}{summary}" for name, summary in COMMANDS.items()))
        print("\nclbench COMMAND --help lists the options of a command.")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise unknown("command", words[0], COMMANDS)
        command = importlib.import_module(f"clbench.cli.{words[0].replace('-', '_')}")
        status: int = command.main(words[1:])
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"clbench: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extras = [name for name, packages in EXTRAS.items() if package in packages]
        if not extras:
            raise
        extra = words[0] if words[0] in extras else extras[0]
        print(f"clbench: error: {package} is missing: pip install 'clbench[{extra}]'", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads the output has seen enough, as with "| head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("clbench: stopped; the same command goes on from here", file=sys.stderr)
        return 130
