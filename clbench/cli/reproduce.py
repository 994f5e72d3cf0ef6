"""``clbench reproduce``: the runs of experiments, then their tables and figures."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tqdm import tqdm

from clbench.cli import engines
from clbench.core.arguments import Parser, word
from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.io import check_folder, remove_leftovers
from clbench.core.ranges import Line, Name, Place, Threads
from clbench.core.types import WandbMode

if TYPE_CHECKING:
    import argparse

    from clbench.studies.executor import OpenExecutor
    from clbench.studies.experiment import Experiment
    from clbench.studies.worker import Outcome


def main(arguments: Sequence[str]) -> int:
    """Runs what is not done yet, writes a report per experiment and a page of all, and says what failed."""
    options = _parser().read(arguments)
    engines.check(options)
    tqdm.set_lock(threading.RLock())  # one of processes would outlive a sweep that is stopped
    from clbench.engine.preflight import check_runs
    from clbench.studies.reproduction import refuse_shared_places

    check_folder(options.results, "option --results")
    chosen = _chosen(options)
    every = [run for *_, runs in chosen for run in runs]
    refuse_shared_places(every)
    check_runs(every)
    workers = options.workers or os.cpu_count() or 1
    _check_tables(experiment for experiment, *_ in chosen)
    if options.dry_run:
        _forecast(every, workers)
        return 0
    remove_leftovers(options.results)
    outcomes: list[Outcome] = []
    with engines.opened(options, every, workers) as (executor, workers):
        for experiment, folder, runs in chosen:
            outcomes += _reproduce(experiment, folder, runs, outcomes, workers, executor)
    for folder in dict.fromkeys(folder for _, folder, _ in chosen):
        _write_page(folder, outcomes, options.data_dir)
    failures = [outcome for outcome in outcomes if outcome.error]
    for outcome in failures:
        name = f"{outcome.config.scenario} {outcome.config.baseline}"
        print(f"failed: {name}: {outcome.error}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} failed: the same command tries them again", file=sys.stderr)
    return 1 if failures else 0


def _parser() -> Parser:
    parser = Parser(
        "reproduce",
        "Runs experiments, skipping runs that are done, and makes their tables and figures.",
        "clbench reproduce main --profile quick --dry-run",
    )
    parser.add_argument(
        "experiments",
        nargs="*",
        type=word(Line),
        default=[],
        help="names or YAML files; without any, main, or all experiments with the given profile",
    )
    text = "quick, small, ...; without it, the first one"
    parser.add_argument("--profile", type=word(Name), metavar="NAME", help=text)
    text = "number of parallel runs; by default, as many as there are CPU cores"
    parser.add_argument("--workers", type=word(Threads), metavar="N", help=text)
    parser.add_argument("--dry-run", action="store_true", help="only print what is left to run, and its time")
    parser.add_data_dir()
    text = "leave out scenarios whose dataset is not in the data folder"
    parser.add_argument("--skip-missing-data", action="store_true", help=text)
    text = "only runs on a frozen encoder, or only those that train it"
    parser.add_argument("--only", choices=("frozen", "trained"), help=text)
    output = parser.add_argument_group("output and logging")
    output.add_argument(
        "--results", type=word(Place), metavar="DIR", default="runs", help="folder for result files"
    )
    output.add_argument("--wandb", choices=get_args(WandbMode), default=RunConfig.wandb, help="W&B logging")
    engines.declare(parser)
    return parser


def _chosen(options: argparse.Namespace) -> list[tuple[Experiment, Path, list[RunConfig]]]:
    """The experiments, the folder of each one's results, and its runs."""
    from clbench.engine.resolved import tuning_of
    from clbench.studies.reproduction import applicable, chosen_experiments

    mode = options.wandb
    if mode != "disabled" and not options.dry_run:
        from clbench.tracking.live import usable  # imports torch

        mode = usable(mode, options.results)
    chosen = []
    for experiment in chosen_experiments(options.experiments, options.profile):
        profile = options.profile or next(iter(experiment.profiles))
        folder = options.results / profile
        runs = experiment.runs(profile, folder, options.data_dir, wandb=mode)
        if options.skip_missing_data:
            runs = _with_data(runs, options.data_dir)
        runs, refused = applicable(runs)
        for reason in refused:
            print(f"left out: {reason}", file=sys.stderr)
        if options.only:
            runs = [run for run in runs if (tuning_of(run) == "frozen") == (options.only == "frozen")]
        chosen.append((experiment, folder, runs))
    return chosen


def _with_data(runs: Sequence[RunConfig], data_dir: Path | None) -> list[RunConfig]:
    """The runs whose data is there; a line for each scenario that is left out.

    Raises:
        UserError: None is left.
    """
    from clbench.studies.reproduction import without_data

    missing = without_data(runs)
    for scenario, datasets in missing.items():
        print(
            f"left out: {scenario}; clbench data fetch {' '.join(datasets)} --data-dir {data_dir}",
            file=sys.stderr,
        )
    kept = [run for run in runs if run.scenario not in missing]
    if runs and not kept:
        names = sorted({name for datasets in missing.values() for name in datasets})
        raise UserError(f"data folder {data_dir} has none of the datasets {', '.join(names)}")
    return kept


def _check_tables(experiments: Iterable[Experiment]) -> None:
    """Measures that are unknown are an error before the first run, not after the last."""
    from clbench.reporting.measures import chosen

    for experiment in experiments:
        try:
            chosen(experiment.table or ())
        except UserError as error:
            raise UserError(f"experiment {experiment.name}: table: {error}") from error


def _reproduce(
    experiment: Experiment,
    folder: Path,
    runs: Sequence[RunConfig],
    before: Sequence[Outcome],
    workers: int,
    executor: OpenExecutor,
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
    shown = sys.stderr.isatty()
    outcomes = run_experiment(runs, before, workers=workers, progress=shown, executor=executor)
    done = sum(outcome.skipped for outcome in outcomes)
    failed = sum(outcome.error is not None for outcome in outcomes)
    seconds = time.perf_counter() - started
    print(f"{len(runs) - done - failed} run in {seconds:.0f} s, {done} done before, {failed} failed")
    if paths := result_files(outcomes):
        frame = load_results(paths)
        show(frame, folder / "report" / experiment.name, experiment.table, page=False)
    return outcomes


def _write_page(folder: Path, outcomes: Sequence[Outcome], data_dir: Path | None) -> None:
    """Writes one page of all results in a profile's folder."""
    from clbench.cli.report import examples_from
    from clbench.reporting.load import load_results
    from clbench.reporting.publish.limits import MANY
    from clbench.reporting.site import write_page
    from clbench.studies.reproduction import result_files

    if paths := [path for path in result_files(outcomes) if path.is_relative_to(folder)]:
        frame = load_results(paths)
        if len(frame) <= MANY:
            print(write_page(frame, folder / "page", examples=examples_from(data_dir)))


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
