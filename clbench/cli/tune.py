"""``clbench tune``: search a method's hyperparameters on validation texts of the first experiences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from clbench.core.arguments import Parser, word
from clbench.core.config import Budget
from clbench.core.ranges import Count
from clbench.engine.parser import read_run
from clbench.engine.preflight import check_run


def main(arguments: Sequence[str]) -> int:
    """Searches, prints each trial and the choice, and says where the record is."""
    parser = Parser(
        "tune",
        "Searches a method's hyperparameters; an option of a run that is given is not searched.",
        "clbench tune --scenario pydocs-cil --baseline ewc --tuning frozen --trials 8",
        defaults=False,
    )
    group = parser.add_argument_group("search")
    text = f"how many runs the search makes (default: {Budget.trials})"
    group.add_argument("--trials", type=word(Count), default=Budget.trials, help=text)
    config, options = read_run(parser, arguments)
    check_run(config)
    from clbench.engine.shared import Shared
    from clbench.studies.search_record import SearchRecord  # imported after parsing: --help needs no torch
    from clbench.studies.tuning import search

    trials, experiences = options["trials"], config.experiences or Budget.experiences
    budget = Budget(trials, experiences, config.order, config.seed)

    shared = Shared()
    task = shared.scenario(config.scenario).task
    measure = "bits per byte" if task == "language-model" else "accuracy"

    def on_trial(number: int, score: float | None) -> None:
        found = "diverged" if score is None else f"validation {measure} {score:.4f}"
        print(f"[{number + 1}/{trials}] {found}", flush=True)

    tuned = dataclasses.replace(config, tune=budget)
    path = search(tuned, shared=shared, on_trial=on_trial, wandb=config.wandb)
    record = SearchRecord.read(path)
    assert record is not None
    assert record.best is not None
    first = record.trials[0].score
    defaults = "diverged" if first is None else f"{first:.4f}"
    print(f"best {record.best.score:.4f} (defaults {defaults}): {_flags(record.best.values)}")
    print(path)
    return 0


def _flags(values: Mapping[str, Any]) -> str:
    """The options of ``clbench run`` that set these hyperparameters."""
    names = {name: "lr" if name == "lr" else f"baseline.{name.replace('_', '-')}" for name in values}
    return " ".join(f"--{names[name]} {value}" for name, value in values.items())
