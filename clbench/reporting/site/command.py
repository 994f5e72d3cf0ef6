"""The command that repeats a run, from the configuration in its result file."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from clbench.core.config import RunConfig

NO_PART = {
    "threads", "data_dir", "results", "checkpoint", "checkpoint_minutes", "cache_features",
    "wandb", "wandb_project", "wandb_entity", "wandb_group",
}  # fmt: skip
"""Options that the result does not depend on."""
SPECIAL = {"scenario", "baseline", "arguments", "tune", "tuned", "search", "precision", "joint", "single"}
"""Options that are not written as their name and value in the configuration."""
OPTIONS = {
    each.name: each.default for each in dataclasses.fields(RunConfig) if each.name not in NO_PART | SPECIAL
}
"""The other options with their defaults. None is also a default that the method or the scenario sets."""


def command(config: Mapping[str, Any]) -> list[str]:
    """``clbench run`` with the options that lead to this configuration, each quoted for a shell.

    Options that the result does not depend on (folders, threads, logging) are left out. The command is empty
    if the configuration does not name the class of its method.

    Example:
        >>> command({"scenario": "my texts", "baseline": "my.Method", "arguments": {"top": None}, "seed": 3})
        ['clbench run', "--scenario 'my texts'", '--baseline my.Method', '--baseline.top null', '--seed 3']
    """
    if "baseline" not in config:
        return []
    return ["clbench run", *(shlex.join(words) for words in _options(config))]


def _options(config: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["--scenario", config["scenario"]]
    yield ["--baseline", config["baseline"]]
    arguments = config.get("arguments", {})
    for name, value in arguments.items() if isinstance(arguments, Mapping) else ():
        yield [f"--baseline.{name}", _text(value)]
    stream = config.get("stream", "sequential")
    if stream != "sequential":
        yield [f"--{stream}"]
    for name, default in OPTIONS.items():
        value = config.get(name, default)
        if value is None or value == default:
            continue
        option = name.replace("_", "-")
        if isinstance(default, bool):
            yield [f"--{option}" if value else f"--no-{option}"]
        else:
            yield [f"--{option}", _text(value)]
    # The precision is given if it is part of the method's name: otherwise the machine chose it.
    method = str(config.get("method", "")).removesuffix(f"-{stream}")
    if config.get("precision") and method.endswith(f"-{config['precision']}"):
        yield ["--precision", config["precision"]]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
