"""From command lines, YAML files and experiment entries to the configuration of a run.

One parser, made from the types and docstrings of ``RunConfig`` and of the methods, checks all three.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined]  # re-exported without __all__
    ActionConfigFile,
    ArgumentError,
    ArgumentParser,
    Namespace,
)

from clbench.core.config import RunConfig
from clbench.core.errors import UserError, unknown
from clbench.core.io import read_yaml
from clbench.engine.registry import PROVIDED, arguments_of, baseline_class, import_path
from clbench.methods.learner import ContinualLearner


def run_parser() -> ArgumentParser:
    """The parser of ``clbench run``."""
    parser = ArgumentParser(
        prog="clbench run",
        description="Trains one method on one stream and writes its result file.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file of these same options")
    parser.add_class_arguments(RunConfig, skip={"baseline", "arguments", "tuned"}, as_group=False)
    parser.add_subclass_arguments(
        ContinualLearner,
        "baseline",
        skip=set(PROVIDED),
        required=True,
        instantiate=False,
        help="Which method: a name from 'clbench list baselines' or an import path; "
        "its own arguments are --baseline.<argument>",
    )
    return parser


def parse_run(arguments: Sequence[str]) -> RunConfig:
    """The configuration that a command line describes.

    Raises:
        UserError: It describes none; the message names the argument and what would be right.
    """
    words = _with_import_paths(arguments)
    return _run_config(lambda parser: parser.parse_args(words, defaults=False))


def run_config(options: Mapping[str, Any]) -> RunConfig:
    """The configuration that a mapping describes, with the keys of the command line.

    Raises:
        UserError: A key or value is wrong.
    """
    return _run_config(lambda parser: parser.parse_object(_resolved(options), defaults=False))


def _run_config(parse: Any) -> RunConfig:
    try:
        parsed: Namespace = parse(run_parser())
    except ArgumentError as error:
        raise _explained(str(error)) from error
    values = parsed.as_dict()  # what was given, no defaults: those are where they are declared
    baseline = values.pop("baseline")
    values.pop("config", None)
    data_dir = values.get("data_dir") or os.environ.get("CLBENCH_DATA")
    values["data_dir"] = Path(data_dir) if data_dir else None
    names = {each.name for each in dataclasses.fields(RunConfig)}
    return RunConfig(
        baseline=baseline["class_path"],
        arguments=dict(baseline.get("init_args", {})),
        **{name: value for name, value in values.items() if name in names},
    )


def _with_import_paths(arguments: Sequence[str]) -> list[str]:
    """Replaces the names of methods by their import paths, on the line and in the files it names."""
    words = [part for word in arguments for part in _split(word)]
    for at, word in enumerate(words[:-1]):
        if word == "--baseline":
            words[at + 1] = import_path(baseline_class(words[at + 1]))
        elif word == "--config":
            words[at + 1] = json.dumps(_resolved(_read_yaml(Path(words[at + 1]))))
    return words


def _split(word: str) -> list[str]:
    """``--data-dir=DIR`` as ``--data_dir`` and ``DIR``: options may be written with either kind of dash."""
    if not word.startswith("--"):
        return [word]
    name, *value = word.split("=", 1)
    return ["--" + name[2:].replace("-", "_"), *value]


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path, "config file")
    if not isinstance(content, dict):
        raise UserError(f"config file {path}: options as 'key: value' are wanted")
    return content


def _resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    """``baseline: ewc`` and ``arguments: {...}``, or jsonargparse's own form, as the latter."""
    options = dict(options)
    baseline = options.get("baseline")
    arguments = options.pop("arguments", {})
    if isinstance(baseline, str):
        options["baseline"] = {"class_path": import_path(baseline_class(baseline)), "init_args": arguments}
    elif isinstance(baseline, dict) and "class_path" in baseline:
        options["baseline"] = {
            **baseline,
            "class_path": import_path(baseline_class(baseline["class_path"])),
        }
    return options


def _explained(message: str) -> UserError:
    """Jsonargparse's explanation, which goes over many lines, as one that says what would be right."""
    text = " ".join(message.split())
    options = [each.name for each in dataclasses.fields(RunConfig) if each.name not in ("arguments", "tuned")]
    if found := re.search(r"class_path '([\w.]+)': Option '([\w.]+)' is not accepted", text):
        known = arguments_of(baseline_class(found[1]))
        return unknown(f"argument of baseline {found[1].rpartition('.')[2]}", found[2], known)
    if found := re.search(r"unrecognized arguments: --([\w.-]+)", text):
        return unknown("option", found[1], options)
    if found := re.search(r"Option '([\w.]+)' is not accepted", text):
        return unknown("option", found[1], options)
    if found := re.search(r"Option '?\"?([\w.]+)'?\"? is required", text):
        return UserError(f"option --{found[1]} is missing")
    # The innermost key is the one that is wrong: "Parser key "baseline": ... Parser key "strength": ..."
    parts = re.split(r'Parser key "([\w.]+)": ', text)
    if len(parts) > 1:
        reason = re.split(r" - Expected a <class 'NoneType'>| Given value type", parts[-1])[0]
        return UserError(f"option {parts[-2]}: {reason.strip(' -')}")
    return UserError(text)
