"""``clbench tune``: search a method's hyperparameters on validation texts of the first experiences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from clbench.core.arguments import Parser
from clbench.core.provenance import provenance
from clbench.engine.parser import read_run
from clbench.engine.registry import baseline_class
from clbench.studies.tuned_values import write_settings

TRIALS = 16
SETTINGS = Path("experiments/settings.yaml")


def main(arguments: Sequence[str]) -> int:
    """Searches, prints each trial, and writes what was found with how it was found."""
    parser = Parser(
        "tune",
        "Searches a method's hyperparameters; an option of a run that is given is not searched.",
        "clbench tune --scenario pydocs-cil --baseline ewc --tuning frozen --trials 8",
        defaults=False,
    )
    group = parser.add_argument_group("search")
    group.add_argument("--trials", type=int, default=TRIALS, help="how many runs the search makes")
    group.add_argument(
        "--settings", type=Path, metavar="FILE", default=SETTINGS, help="file that the values are written to"
    )
    config, options = read_run(parser, arguments)
    trials, settings = options["trials"], options["settings"]
    from clbench.studies.tuning import search  # imported after parsing: --help needs no torch

    started = time.perf_counter()

    def on_trial(number: int, accuracy: float) -> None:
        print(f"[{number + 1}/{trials}] validation accuracy {accuracy:.4f}", flush=True)

    found = search(config, trials=trials, on_trial=on_trial)
    baseline = baseline_class(config.baseline)
    source = provenance({}, config.threads or 0)
    entry = {
        "encoder": config.encoder,
        "scenario": config.scenario,
        "baseline": config.baseline,
        "tuning": config.tuning or baseline.info.tunings[0],
        "joint": config.joint,
        "given": dict(config.arguments),
        "values": found.values,
        "found": {
            "by": f"optuna {version('optuna')}, TPE, seed {config.seed}",
            "trials": found.trials,
            "experiences": found.experiences,
            "validation_accuracy": round(found.accuracy, 4),
            "with_defaults": round(found.default, 4),
            "seconds": round(time.perf_counter() - started),
            "date": source["date"],
            "commit": source["commit"],
        },
    }
    write_settings(settings, entry)
    print(f"best {found.accuracy:.4f} (defaults {found.default:.4f}): {found.values}")
    print(f"settings: {settings}")
    return 0
