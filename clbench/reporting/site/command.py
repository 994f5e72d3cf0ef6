"""The command that does a run again, from the configuration in its result file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    "encoder": "minilm",
    "joint": False,
    "single": False,
    "experiences": None,
    "split": "test",
    "generic_corpus": None,
    "order": "0",
    "seed": 0,
    "weight_decay": 0.01,
    "adapter_size": 64,
    "adapter_placement": "houlsby",
    "lora_rank": 8,
}
"""Options that a run has without being told. They stand here again because those of
``clbench.core.config`` come with torch, which a report does without."""
OWN = (
    "tuning", "lr", "epochs", "batch_size", "max_tokens", "samples_per_epoch",
    "train_per_class", "test_per_class",
)  # fmt: skip
"""Options whose defaults are the method's or the scenario's: they are always written out."""


def command(config: Mapping[str, Any]) -> list[str]:
    """``clbench run`` with the options that lead to this configuration, each quoted for a shell.

    Left out are options that have no part in the result (where data and results are, threads, logging). Empty
    where the configuration does not name its method.

    Example:
        >>> command({"scenario": "my texts", "baseline": "my.Method", "arguments": {"top": None}, "seed": 3})
        ['clbench run', "--scenario 'my texts'", '--baseline my.Method', '--baseline.top null', '--seed 3']
    """
    if "baseline" not in config:
        return []
    words = [
        (name, value if isinstance(value, str) else json.dumps(value)) for name, value in _options(config)
    ]
    return ["clbench run", *(shlex.join([f"--{name}", value]) for name, value in words)]


def _options(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "scenario", config["scenario"]
    yield "baseline", config["baseline"]
    arguments = config.get("arguments", {})
    for name, value in arguments.items() if isinstance(arguments, Mapping) else ():
        yield f"baseline.{name}", value
    for name in OWN:
        if config.get(name) is not None:
            yield name.replace("_", "-"), config[name]
    for name, default in DEFAULTS.items():
        value = config.get(name, default)
        if value != default and value not in (None, False):
            yield name.replace("_", "-"), value
    # A precision that was asked for makes another method; one that was chosen by the machine does not.
    method = str(config.get("method", "")).removesuffix("-joint").removesuffix("-single")
    if config.get("dtype") and method.endswith(f"-{config['dtype']}"):
        yield "dtype", config["dtype"]
