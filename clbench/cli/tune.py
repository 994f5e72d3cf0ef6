"""``clbench tune``: search a method's settings on validation texts of the first experiences."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clbench.core.provenance import provenance
from clbench.engine.parser import parse_run
from clbench.engine.registry import baseline_class
from clbench.studies.tuned_values import write_settings
from clbench.studies.tuning import search

TRIALS = 16


def main(arguments: Sequence[str]) -> int:
    """Searches, prints each trial, and writes what was found with how it was found."""
    parser = argparse.ArgumentParser(
        prog="clbench tune",
        description="Searches a method's settings. Other options are those of 'clbench run'; "
        "what is given there is not searched.",
        allow_abbrev=False,
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="the budget, the same for all methods")
    parser.add_argument(
        "--settings", type=Path, default=Path("experiments/settings.yaml"), help="where to write"
    )
    options, rest = parser.parse_known_args(arguments)
    config = parse_run(rest)
    started = time.perf_counter()

    def on_trial(number: int, accuracy: float) -> None:
        print(f"[{number + 1}/{options.trials}] validation accuracy {accuracy:.4f}", flush=True)

    found = search(config, trials=options.trials, on_trial=on_trial)
    baseline = baseline_class(config.baseline)
    source = provenance({}, config.threads or 0)
    entry = {
        "encoder": config.encoder,
        "scenario": config.scenario,
        "baseline": config.baseline,
        "tuning": config.tuning or baseline.tunings[0],
        "joint": config.joint,
        "given": dict(config.arguments),
        "values": found.values,
        "found": {
            "by": f"optuna {_version()}, TPE, seed {config.seed}",
            "trials": found.trials,
            "experiences": found.experiences,
            "validation_accuracy": round(found.accuracy, 4),
            "with_defaults": round(found.default, 4),
            "seconds": round(time.perf_counter() - started),
            "date": source["date"],
            "commit": source["commit"],
        },
    }
    write_settings(options.settings, entry)
    print(f"best {found.accuracy:.4f} (defaults {found.default:.4f}): {found.values}", file=sys.stdout)
    print(f"settings: {options.settings}")
    return 0


def _version() -> str:
    from importlib.metadata import version

    return version("optuna")
