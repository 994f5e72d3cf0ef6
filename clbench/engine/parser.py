"""From command lines, YAML files, experiments and Python calls to the configuration of a run.

The options are the arguments of ``RunConfig`` and of the method. ``run_config`` checks all of them, wherever
they come from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clbench.core.arguments import Parser
from clbench.core.config import RunConfig
from clbench.core.errors import UserError, shown
from clbench.core.io import read_yaml
from clbench.engine.method import Method, find_method
from clbench.engine.options import converted, options_of

GROUPS: dict[str, tuple[str, ...]] = {
    "data and stream": (
        "scenario", "experiences", "order", "joint", "single", "split", "train_per_class", "test_per_class",
        "validation_share", "data_dir", "generic_corpus", "continuations",
    ),
    "method and tuning": (
        "baseline", "tuning", "encoder", "precision", "pooling", "head", "max_tokens", "adapter_size",
        "adapter_placement", "lora_rank", "prompt_length",
    ),
    "training": (
        "seed", "epochs", "patience", "batch_size", "samples_per_epoch", "lr", "weight_decay", "threads",
    ),
    "output and logging": (
        "results", "checkpoint", "checkpoint_minutes", "cache_features", "wandb", "wandb_project",
        "wandb_entity", "wandb_group",
    ),
}  # fmt: skip
"""The options of a run as ``--help`` groups them."""
ARGUMENT = "arguments."
"""Before the names of the method's own arguments, among what a parser has read."""


def parse_run(words: Sequence[str]) -> RunConfig:
    """The configuration that a command line of ``clbench run`` describes.

    Raises:
        UserError: An option is unknown or missing, or a value is wrong.
    """
    return read_run(run_parser(), words)[0]


def run_parser() -> Parser:
    """The parser of ``clbench run``, without the options of a run: see ``read_run``."""
    parser = Parser(
        "run",
        "Trains one method on one stream and writes its result file.",
        "clbench run --scenario pydocs-cil --baseline ewc --tuning frozen --baseline.strength 1000",
        defaults=False,
    )
    text = "start over where a result is there, and replace it when the new one is done"
    parser.add_argument("--again", action="store_true", help=text)
    return parser


def read_run(parser: Parser, words: Sequence[str]) -> tuple[RunConfig, dict[str, Any]]:
    """Reads the options of a run and those that ``parser`` declares already.

    Returns:
        The configuration, and the values of the other options.

    Raises:
        UserError: An option is unknown or missing, or a value is wrong.
    """
    parser.usage = "%(prog)s --scenario NAME --baseline NAME [options]"
    _declare_run(parser)
    seen = vars(parser.peek(words))
    options = _read_file(Path(seen["config"])) if "config" in seen else {}
    name = seen.get("help_of") or seen.get("baseline") or options.get("baseline")
    if isinstance(name, str):
        _declare_method(parser, name, find_method(name))
    if "help_of" in seen:
        parser.print_help()
        parser.exit()
    others = {}
    arguments = dict(_mapping(options.get("arguments")))
    for name, value in vars(parser.read(words)).items():
        if name.startswith(ARGUMENT):
            arguments[name.removeprefix(ARGUMENT)] = _decoded(value)
        elif name in options_of(RunConfig):
            options[name] = _decoded(value)
        else:
            others[name] = value
    return run_config({**options, "arguments": arguments}), others


def run_config(options: Mapping[str, Any]) -> RunConfig:
    """The configuration with these fields of ``RunConfig``; the others have their defaults.

    Args:
        options: By name. Values may be texts, as on a command line.

    Raises:
        UserError: A name or value is wrong, or the scenario or the baseline is missing.
    """
    values = dict(options)
    arguments = _mapping(values.pop("arguments", None))
    values = converted(options_of(RunConfig), values, "option")
    for name in ("scenario", "baseline"):
        if name not in values:
            raise UserError(f"option {name} is missing; 'clbench list {name}s' shows what there is")
    method = find_method(values["baseline"])
    arguments = converted(method.options, arguments, f"argument of baseline {method.name}")
    data_dir = values.get("data_dir") or os.environ.get("CLBENCH_DATA")
    values |= {"baseline": method.path, "data_dir": Path(data_dir) if data_dir else None}
    return RunConfig(arguments=arguments, **values)


def _mapping(arguments: Any) -> Mapping[str, Any]:
    if arguments is not None and not isinstance(arguments, Mapping):
        raise UserError(f"option arguments is {shown(arguments)}: 'name: value' pairs are expected")
    return arguments or {}


def _declare_run(parser: Parser) -> None:
    parser.add_argument("--config", metavar="FILE", help="YAML file of these options; the command line wins")
    options = options_of(RunConfig)
    for title, names in GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            options[name].declare(group, f"--{name.replace('_', '-')}", name)
            if name == "baseline":
                text = "show the options of this method, too"
                group.add_argument("--baseline.help", dest="help_of", nargs="?", metavar="NAME", help=text)


def _declare_method(parser: Parser, name: str, method: Method) -> None:
    group = parser.add_argument_group(f"arguments of {name}")
    for argument, option in method.options.items():
        option.declare(group, f"--baseline.{argument.replace('_', '-')}", ARGUMENT + argument)


def _read_file(path: Path) -> dict[str, Any]:
    content = read_yaml(path, "config file")
    if not isinstance(content, dict):
        raise UserError(f"config file {path}: options as 'key: value' are expected")
    return content


def _decoded(value: Any) -> Any:
    """A word of the command line: ``null``, a list or an object of JSON, or the text that it is."""
    try:
        decoded = json.loads(value)
    except (TypeError, ValueError):  # a flag, or a text
        return value
    return decoded if decoded is None or isinstance(decoded, list | dict) else value
