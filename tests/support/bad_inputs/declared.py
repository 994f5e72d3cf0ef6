"""Bad inputs that follow from the declarations: for each option its wrong types and its bounds."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from support.bad_inputs.case import Case
from support.bad_inputs.files import R8S

from clbench.core.config import RunConfig
from clbench.core.ranges import Pattern, Range, Reachable, Words
from clbench.engine.method import find_method
from clbench.engine.options import Option, options_of
from clbench.engine.registry import baseline_names

RUN = ("run", "--scenario", "$W/data/r8s.yaml", "--encoder", "tiny", "--threads", "1", "--results", "runs")
GIVEN = {"scenario": "data/r8s.yaml", "baseline": "finetune", "encoder": "tiny", "results": "runs"}
TYPES: tuple[Any, ...] = ([1], {"a": 1}, "\0", [[]])
"""Values of YAML that are of no option's type."""


def of_command_lines() -> Iterator[Case]:
    """A case for each bad word of each option of ``clbench run``."""
    for name, option in options_of(RunConfig).items():
        flag = f"--{name.replace('_', '-')}"
        for word in bad_words(option):
            words = (*RUN, "--baseline", "finetune", f"{flag}={word}")
            yield Case("option", f"{name}={word[:30]!r}", words, R8S, culprit=name)


def of_methods() -> Iterator[Case]:
    """A case for each bad word of each argument of each method."""
    for method in sorted(baseline_names()):
        for name, option in find_method(method).options.items():
            flag = f"--baseline.{name.replace('_', '-')}"
            for word in bad_words(option):
                words = (*RUN, "--baseline", method, f"{flag}={word}")
                yield Case("argument", f"{method} {name}={word[:30]!r}", words, R8S, culprit=name)


def of_files() -> Iterator[Case]:
    """A case for each value of a wrong type, or out of range, of each key of a run's file."""
    for name, option in options_of(RunConfig).items():
        values = [*TYPES, *(("yes", "no", 1) if option.type is bool else (True,)), *_numbers(option)]
        for value in values:
            text = yaml.safe_dump({**GIVEN, name: value}, allow_unicode=False)
            files, words = {"c.yaml": text, **R8S}, ("run", "--config", "c.yaml")
            yield Case("run YAML", f"{name}: {value!r:.40}", words, files, culprit=name)


def bad_words(option: Option) -> list[str]:
    """Words of a command line that the option does not take."""
    if option.type is bool:
        return ["perhaps", "1"]
    found: list[str] = []
    for kind in _members(option.type):
        plain, rule = (
            (get_args(kind)[0], get_args(kind)[1]) if get_origin(kind) is Annotated else (kind, None)
        )
        if plain in (int, float):
            found += ["x", "", "true", "nan", "inf", "-inf", "1e999", "[1]", "{}", "1,5", "0x10", "9" * 5000]
            found += ["1_0", " 1"]
            found += ["1.5"] if plain is int else []
            found += [f"{each!r}" for each in _outside(rule, plain)] if isinstance(rule, Range) else []
        elif get_origin(kind) is Literal:
            found += ["nope", "", "[]", "1"]
        elif isinstance(rule, Words):
            found += [
                "",
                "a\nb",
                "a\0b",
                "\x1b[31m",
                "x" * (rule.longest + 1),
                *(f"a{c}b" for c in rule.without),
            ]
        elif isinstance(rule, Pattern):
            found += ["", "-1", "x", "1.5", "random:-1", "random:x", "random:", "9" * 50]
        elif isinstance(rule, Reachable) or plain is Path:
            found += ["", "a\0b", "x" * 300, "a\nb"]
    return found


def _numbers(option: Option) -> list[Any]:
    found: list[Any] = []
    for kind in _members(option.type):
        if get_origin(kind) is Annotated and isinstance(get_args(kind)[1], Range):
            found += [*_outside(get_args(kind)[1], get_args(kind)[0]), math.nan, math.inf, "x", "", 10**400]
            found += [1.5] if get_args(kind)[0] is int else []
    return found


def _outside(rule: Range, plain: type) -> list[Any]:
    """Numbers beyond the bounds of a range, the nearest ones first."""
    step = 1 if plain is int else 1e-6
    low = rule.low if rule.above else rule.low - step
    high = rule.high if rule.below else rule.high + step
    return [plain(low), -(10**6), *([] if rule.high == math.inf else [plain(high), plain(rule.high * 10)])]


def _members(kind: Any) -> list[Any]:
    """The types of a union, without None."""
    if get_origin(kind) in (Annotated, Literal, list, dict, tuple):
        return [kind]
    return [each for each in get_args(kind) or (kind,) if each is not type(None)]
