"""Experiments run one after another: runs that they share are made once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.data.scenarios import find_scenario
from clbench.engine.method import find_method
from clbench.engine.preflight import missing_datasets, refusal
from clbench.studies.executor import OpenExecutor
from clbench.studies.experiment import Experiment, experiment_files, find_experiment
from clbench.studies.pool import local_pool
from clbench.studies.worker import Outcome

DEFAULT = "main"
"""The experiment that is reproduced when none is named."""


def chosen_experiments(names: Sequence[str], profile: str | None) -> list[Experiment]:
    """The named experiments; without names, the default one, or all that have the given profile.

    Raises:
        UserError: An experiment is unknown, or none has the profile.
    """
    if names or profile is None:
        return [find_experiment(name) for name in names or [DEFAULT]]
    every = [find_experiment(name) for name in experiment_files()]
    found = [experiment for experiment in every if profile in experiment.profiles]
    if not found:
        known = sorted({name for experiment in every for name in experiment.profiles})
        raise UserError(f"no experiment has a profile '{profile}'; known: {', '.join(known)}")
    return found


def without_data(runs: Iterable[RunConfig]) -> dict[str, list[str]]:
    """The scenarios of which the data folder lacks datasets, with these datasets.

    Raises:
        UserError: A scenario is unknown.
    """
    places = {run.scenario: run.data_dir for run in runs}
    found = {
        name: missing_datasets(find_scenario(name), folder)
        for name, folder in places.items()
        if folder is not None and folder.is_dir()
    }
    return {name: datasets for name, datasets in found.items() if datasets}


def applicable(runs: Sequence[RunConfig]) -> tuple[list[RunConfig], list[str]]:
    """The runs whose method can learn their scenario, and why the others cannot, a line for each method.

    Raises:
        UserError: None of several can, or a scenario is unknown.
    """
    scenarios = {name: find_scenario(name) for name in dict.fromkeys(run.scenario for run in runs)}
    kept, refused = [], dict[str, None]()
    for run in runs:
        name, info = run.baseline.rpartition(".")[2], find_method(run.baseline).info
        reason = refusal(name, info, scenarios[run.scenario])
        if reason is None:
            kept.append(run)
        else:
            refused[reason] = None
    if refused and not kept:
        raise UserError(next(iter(refused)))
    return kept, list(refused)


def run_experiment(
    runs: Sequence[RunConfig],
    before: Sequence[Outcome],
    *,
    workers: int,
    progress: bool,
    executor: OpenExecutor = local_pool,
) -> list[Outcome]:
    """Runs what is not done yet, and returns how each run ended, in the given order.

    Args:
        runs: Of one experiment.
        before: Outcomes of earlier experiments; runs that are among them and did not fail are skipped.
        workers: Number of parallel runs.
        progress: Whether a single run has a progress bar; several always have one.
        executor: Where the runs are done.
    """
    from clbench.studies.sweep import run_all  # imports torch

    finished = [(_ungrouped(outcome.config), outcome) for outcome in before if outcome.error is None]
    shared = [next((made for config, made in finished if config == _ungrouped(run)), None) for run in runs]
    left = [run for run, earlier in zip(runs, shared, strict=True) if earlier is None]
    progress = progress or len(left) > 1
    made = iter(run_all(left, workers=workers, progress=progress, executor=executor) if left else [])
    return [
        next(made) if earlier is None else dataclasses.replace(earlier, config=run, skipped=True)
        for run, earlier in zip(runs, shared, strict=True)
    ]


def refuse_shared_places(runs: Iterable[RunConfig]) -> None:
    """Different runs must not write the same result file one after the other.

    Raises:
        UserError: Two of them do.
    """
    configs: dict[Hashable, RunConfig] = {}
    for config in map(_ungrouped, runs):
        if configs.setdefault(_place(config), config) != config:
            name = f"{config.baseline.rpartition('.')[2]} on {config.scenario}"
            place = f"{name}, order {config.order}, seed {config.seed}"
            raise UserError(f"two different runs write one result file ({place}); remove one of them")


def _place(config: RunConfig) -> Hashable:
    """What the place of a result file follows from: see ``clbench.engine.resolved``."""
    method = find_method(config.baseline)
    tuning = config.tuning or method.info.tunings[0]
    own = {**{name: option.default for name, option in method.options.items()}, **config.arguments}
    arguments = tuple((name, repr(value)) for name, value in sorted(own.items()) if name not in config.tuned)
    size = config.adapter_size or method.info.adapter_size
    length = config.prompt_length or method.info.prompt_length
    return (
        config.results, Path(config.scenario).stem, Path(config.encoder).name, config.baseline, arguments,
        tuning, (config.adapter_placement, size) if tuning == "adapter" else None,
        length if tuning == "prompt" else None,
        None if "lr" in config.tuned else config.lr,
        config.pooling, config.head, config.precision, config.stream_kind, config.order, config.seed,
    )  # fmt: skip


def result_files(outcomes: Iterable[Outcome]) -> list[Path]:
    """The result files that can be read, each once; what is wrong with another one, its outcome says."""
    failed = {outcome.path: outcome.error is not None for outcome in outcomes}
    found = [(path, wrong) for path, wrong in failed.items() if path is not None and path.exists()]
    return [path for path, wrong in found if not wrong or _readable(path)]


def _readable(path: Path) -> bool:
    try:
        RunResult.read(path)
    except UserError:
        return False
    return True


def distinct(runs: Iterable[RunConfig]) -> list[RunConfig]:
    """The runs without those that another experiment has as well."""
    found: list[RunConfig] = []
    for run in map(_ungrouped, runs):
        if run not in found:
            found.append(run)
    return found


def _ungrouped(config: RunConfig) -> RunConfig:
    """The same run, whichever experiment it belongs to."""
    return dataclasses.replace(config, wandb_group=None)
