"""``clbench reproduce``: the runs of experiments, then their tables and plots."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from tqdm import tqdm

from clbench.cli.report import show
from clbench.forecast import plan
from clbench.run_config import RunConfig
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
    parser.add_argument(
        "--dry_run",
        "--dry-run",
        action="store_true",
        help="say what is done, what is left, and the time it takes",
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
        if options.dry_run:
            _forecast(runs, options.workers)
            continue
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


def _forecast(runs: Sequence[RunConfig], workers: int) -> None:
    """Prints a line per run, and what is left in total."""
    planned = plan(runs, tqdm(runs, unit="run", leave=False, disable=not sys.stderr.isatty()))
    for each in planned:
        seconds = "" if each.seconds is None else f"  {each.seconds:.0f} s"
        print(f"  {each.state:<8}{each.name}{seconds}" + (f"  ({each.error})" if each.error else ""))
    left = [each for each in planned if each.state != "done"]
    known = [each.seconds for each in left if each.seconds is not None]
    print(f"{len(planned) - len(left)} done, {len(left)} left", end="")
    if left and len(known) == len(left):
        print(f": about {sum(known) / workers / 60:.0f} min with {workers} at a time")
    else:
        print(": nothing like them was measured here yet" if left else "")
