"""``clbench reproduce``: the runs of experiments, then their tables and plots."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from clbench.cli.report import show
from clbench.sweep import find_experiment, run_all


def main(arguments: Sequence[str]) -> int:
    """Runs what is not done yet, writes a report per experiment, and says what failed."""
    parser = ArgumentParser(prog="clbench reproduce", description="Runs experiments and reports on them.")
    parser.add_argument("experiments", nargs="*", type=str, default=["main"], help="names or YAML files")
    parser.add_argument(
        "--profile",
        type=str,
        default=None,
        help="how much of it: quick, small, ...; default: the first it has",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--results", type=str, default="runs", help="folder for result files")
    parser.add_argument(
        "--data_dir", "--data-dir", type=str, default=os.environ.get("CLBENCH_DATA"), help="JSON lines"
    )
    options = parser.parse_args(list(arguments))
    data_dir = Path(options.data_dir) if options.data_dir else None
    failures = []
    for name in options.experiments:
        experiment = find_experiment(name)
        profile = options.profile or next(iter(experiment.profiles))
        results = Path(options.results) / f"{experiment.name}-{profile}"
        runs = experiment.runs(profile, results, data_dir)
        print(f"{experiment.title}: {len(runs)} runs, {options.workers} at a time", flush=True)
        started = time.perf_counter()
        outcomes = run_all(runs, workers=options.workers, progress=sys.stderr.isatty() or len(runs) > 1)
        done = sum(outcome.skipped for outcome in outcomes)
        failed = [outcome for outcome in outcomes if outcome.error]
        print(
            f"{len(runs) - done - len(failed)} run in {time.perf_counter() - started:.0f} s, "
            f"{done} done before, {len(failed)} failed"
        )
        failures += failed
        if len(failed) < len(runs):
            show([str(results)], results / "report")
    for outcome in failures:
        print(
            f"failed: {outcome.config.scenario} {outcome.config.baseline}: {outcome.error}", file=sys.stderr
        )
    return 1 if failures else 0
