"""``clbench reproduce``: the runs of experiments, then their tables and figures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tqdm import tqdm

from clbench.core.arguments import Parser
from clbench.core.config import RunConfig
from clbench.core.types import WandbMode

if TYPE_CHECKING:
    from clbench.studies.experiment import Experiment
    from clbench.studies.worker import Outcome


def main(arguments: Sequence[str]) -> int:
    """Runs what is not done yet, writes a report per experiment and a page of all, and says what failed."""
    parser = Parser(
        "reproduce",
        "Runs experiments, skipping runs that are done, and makes their tables and figures.",
        "clbench reproduce main --profile quick --dry-run",
    )
    parser.add_argument(
        "experiments",
        nargs="*",
        default=[],
        help="names or YAML files; without any, main, or all experiments with the given profile",
    )
    parser.add_argument("--profile", metavar="NAME", help="quick, small, ...; without it, the first one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="number of parallel runs")
    parser.add_argument("--dry-run", action="store_true", help="only print what is left to run, and its time")
    parser.add_data_dir()
    output = parser.add_argument_group("output and logging")
    output.add_argument("--results", metavar="DIR", default="runs", help="folder for result files")
    output.add_argument("--wandb", choices=get_args(WandbMode), default=RunConfig.wandb, help="W&B logging")
    options = parser.read(arguments)
    from clbench.studies.reproduction import chosen_experiments, refuse_shared_places  # --help needs no torch
    from clbench.tracking.live import usable

    results = Path(options.results)
    mode = options.wandb if options.dry_run else usable(options.wandb, results)
    chosen = []
    for experiment in chosen_experiments(options.experiments, options.profile):
        profile = options.profile or next(iter(experiment.profiles))
        folder = results / profile
        chosen.append((experiment, folder, experiment.runs(profile, folder, options.data_dir, wandb=mode)))
    if options.dry_run:
        _forecast([run for *_, runs in chosen for run in runs], options.workers)
        return 0
    outcomes: list[Outcome] = []
    for experiment, folder, runs in chosen:
        outcomes += _reproduce(experiment, folder, runs, options.workers, outcomes)
        refuse_shared_places(outcomes)
    for folder in dict.fromkeys(folder for _, folder, _ in chosen):
        _write_page(folder, outcomes)
    failures = [outcome for outcome in outcomes if outcome.error]
    for outcome in failures:
        name = f"{outcome.config.scenario} {outcome.config.baseline}"
        print(f"failed: {name}: {outcome.error}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} failed: the same command tries them again", file=sys.stderr)
    return 1 if failures else 0


def _reproduce(
    experiment: Experiment, folder: Path, runs: Sequence[RunConfig], workers: int, before: Sequence[Outcome]
) -> list[Outcome]:
    """Runs an experiment, prints how that went, and writes its report."""
    from clbench.cli.report import show
    from clbench.reporting.load import load_results
    from clbench.studies.reproduction import result_files, run_experiment
    from clbench.studies.searches import distinct_searches

    searches = len(distinct_searches(runs))
    count = f"{len(runs)} runs" + (f" after {searches} searches" if searches else "")
    print(f"{experiment.title}: {count}, {workers} at a time", flush=True)
    started = time.perf_counter()
    outcomes = run_experiment(runs, before, workers=workers, progress=sys.stderr.isatty())
    done = sum(outcome.skipped for outcome in outcomes)
    failed = sum(outcome.error is not None for outcome in outcomes)
    seconds = time.perf_counter() - started
    print(f"{len(runs) - done - failed} run in {seconds:.0f} s, {done} done before, {failed} failed")
    if paths := result_files(outcomes):
        show(load_results(paths), folder / "report" / experiment.name, experiment.table)
    return outcomes


def _write_page(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes one page of all results in a profile's folder."""
    from clbench.reporting.load import load_results
    from clbench.reporting.site import write_page
    from clbench.studies.reproduction import result_files

    if paths := [path for path in result_files(outcomes) if path.is_relative_to(folder)]:
        print(write_page(load_results(paths), folder / "page"))


def _forecast(runs: Sequence[RunConfig], workers: int) -> None:
    """Prints a line per run, and what is left in total."""
    from clbench.studies.plan import plan
    from clbench.studies.reproduction import distinct

    runs = distinct(runs)
    interval = 0.1 if sys.stderr.isatty() else 10.0
    planned = plan(
        tqdm(runs, desc="looking at results", unit="run", leave=False, delay=2, mininterval=interval)
    )
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
