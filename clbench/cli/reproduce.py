"""``clbench reproduce``: the runs of experiments, then their tables and plots."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from tqdm import tqdm

from clbench.cli.report import show
from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.types import WandbMode
from clbench.reporting.load import load_results
from clbench.reporting.site import write_page
from clbench.studies.experiment import Experiment, experiment_files, find_experiment
from clbench.studies.plan import plan
from clbench.studies.sweep import Outcome, run_all
from clbench.tracking.live import usable

DEFAULT = "main"


def main(arguments: Sequence[str]) -> int:
    """Runs what is not done yet, writes a report per experiment and a page of all, and says what failed."""
    parser = ArgumentParser(prog="clbench reproduce", description="Runs experiments and reports on them.")
    parser.add_argument(
        "experiments",
        nargs="*",
        type=str,
        default=[],
        help=f"names or YAML files; default: {DEFAULT}, or all that have the given profile",
    )
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
    parser.add_argument(
        "--wandb", type=WandbMode, default=RunConfig.wandb, help="log runs to Weights & Biases"
    )
    options = parser.parse_args(list(arguments))
    mode = options.wandb if options.dry_run else usable(options.wandb, Path(options.results))
    data_dir = Path(options.data_dir) if options.data_dir else None
    chosen = []
    for experiment in _experiments(options.experiments, options.profile):
        profile = options.profile or next(iter(experiment.profiles))
        folder = Path(options.results) / profile
        chosen.append((experiment, folder, experiment.runs(profile, folder, data_dir, wandb=mode)))
    if options.dry_run:
        _forecast([run for *_, runs in chosen for run in runs], options.workers)
        return 0
    outcomes: list[Outcome] = []
    for experiment, folder, runs in chosen:
        outcomes += _reproduce(experiment, folder, runs, options.workers, outcomes)
        _refuse_shared_places(outcomes)
    for folder in dict.fromkeys(folder for _, folder, _ in chosen):
        if paths := [path for path in _written(outcomes) if path.is_relative_to(folder)]:
            print(write_page(load_results(paths), folder / "page"))
    failures = [outcome for outcome in outcomes if outcome.error]
    for outcome in failures:
        print(
            f"failed: {outcome.config.scenario} {outcome.config.baseline}: {outcome.error}", file=sys.stderr
        )
    if failures:
        print(f"{len(failures)} failed: the same command tries them again", file=sys.stderr)
    return 1 if failures else 0


def _experiments(names: Sequence[str], profile: str | None) -> list[Experiment]:
    if names or profile is None:
        return [find_experiment(name) for name in names or [DEFAULT]]
    every = [find_experiment(name) for name in experiment_files()]
    found = [experiment for experiment in every if profile in experiment.profiles]
    if not found:
        known = sorted({name for experiment in every for name in experiment.profiles})
        raise UserError(f"no experiment has a profile '{profile}'; known: {', '.join(known)}")
    return found


def _reproduce(
    experiment: Experiment,
    folder: Path,
    runs: Sequence[RunConfig],
    workers: int,
    before: Sequence[Outcome],
) -> list[Outcome]:
    """Runs what is not done yet, writes the report, and returns how each run ended; ``before`` has ended."""
    print(f"{experiment.title}: {len(runs)} runs, {workers} at a time", flush=True)
    started = time.perf_counter()
    shared = _shared(runs, before)
    left = [run for place, run in enumerate(runs) if place not in shared]
    made = iter(run_all(left, workers=workers, progress=sys.stderr.isatty() or len(left) > 1) if left else [])
    outcomes = [shared[place] if place in shared else next(made) for place in range(len(runs))]
    done = sum(outcome.skipped for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.error]
    print(
        f"{len(runs) - done - len(failed)} run in {time.perf_counter() - started:.0f} s, "
        f"{done} done before, {len(failed)} failed"
    )
    if paths := _written(outcomes):
        show(load_results(paths), folder / "report" / experiment.name, experiment.table)
    return outcomes


def _shared(runs: Sequence[RunConfig], before: Sequence[Outcome]) -> dict[int, Outcome]:
    """By place among ``runs``, the outcomes of those that another experiment has had finished already."""
    known = [(_ungrouped(outcome.config), outcome) for outcome in before if outcome.error is None]
    found = {}
    for place, run in enumerate(runs):
        own = _ungrouped(run)
        outcome = next((outcome for config, outcome in known if config == own), None)
        if outcome is not None:
            found[place] = dataclasses.replace(outcome, config=run, skipped=True)
    return found


def _written(outcomes: Iterable[Outcome]) -> list[Path]:
    """The result files that there are, each once."""
    paths = dict.fromkeys(outcome.path for outcome in outcomes)
    return [path for path in paths if path is not None and path.exists()]


def _refuse_shared_places(outcomes: Sequence[Outcome]) -> None:
    """Experiments of one profile share their runs; different runs must not write one file in turn."""
    configs: dict[Path, RunConfig] = {}
    for outcome in outcomes:
        config = _ungrouped(outcome.config)
        if outcome.path is not None and configs.setdefault(outcome.path, config) != config:
            raise UserError(f"{outcome.path}: two runs that differ have this place; give one another name")


def _ungrouped(config: RunConfig) -> RunConfig:
    """The same run, whichever experiment it belongs to."""
    return dataclasses.replace(config, wandb_group=None)


def _forecast(runs: Sequence[RunConfig], workers: int) -> None:
    """Prints a line per run, and what is left in total."""
    runs = [_ungrouped(run) for run in runs]
    runs = [run for place, run in enumerate(runs) if run not in runs[:place]]  # experiments share runs
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
