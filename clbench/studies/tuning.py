"""Hyperparameter search: the same budget for every method, on validation texts only."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.result_paths import SEARCH, search_paths
from clbench.core.types import OnProgress, WandbMode
from clbench.engine.build import prepare
from clbench.engine.earlier import compared
from clbench.engine.loop import execute
from clbench.engine.registry import baseline_class
from clbench.engine.resolved import given_config
from clbench.engine.shared import Shared, fingerprints
from clbench.methods.info import SearchRange
from clbench.reporting.measures import RANKED
from clbench.studies.search_record import BITS, SearchRecord, Trial, with_values
from clbench.studies.search_space import defaults, space
from clbench.tracking.trials import TrialTracker

if TYPE_CHECKING:
    import optuna

SAMPLER = "tree-structured Parzen estimator"


def search_of(config: RunConfig) -> RunConfig:
    """The search that a run takes its hyperparameters from: the run with the order and seed of the search.

    Runs that differ in order, seed and W&B group alone have the same one.
    """
    assert config.tune is not None
    order, seed = config.tune.order, config.tune.seed
    return dataclasses.replace(config, order=order, seed=seed, wandb="disabled", wandb_group=None)


def about(config: RunConfig, shared: Shared) -> dict[str, Any]:
    """What a search depends on, as JSON values: see ``SearchRecord``."""
    assert config.tune is not None
    short, baseline = _trial_config(config, shared), baseline_class(config.baseline)
    scenario = shared.scenario(config.scenario)
    encoder = shared.encoder(config, scenario.task)
    protocol = short.protocol(scenario.protocol)
    stream = shared.stream(short, scenario, protocol)
    given = compared({**given_config(short, encoder, stream, protocol), "lr": config.lr})
    del given["tuned"]
    found = {
        "budget": {"trials": config.tune.trials, "experiences": len(stream)},
        "space": space(baseline.info, config),
        "by": SAMPLER,
        "config": given,
        "fingerprints": fingerprints(encoder, stream),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def search(
    config: RunConfig,
    *,
    shared: Shared | None = None,
    on_trial: Callable[[int, float | None], None] = lambda *_: None,
    on_progress: OnProgress | None = None,
    wandb: WandbMode = "disabled",
) -> Path:
    """Runs short streams with different hyperparameters, and records them in a file beside the results.

    A trial trains on the first experiences of the stream, on all their texts or some. It is judged by the
    average accuracy on their validation texts after the last of them, or by the average bits per byte of a
    language model. The first trial has the method's defaults; the others are drawn by a tree-structured
    Parzen estimator (Bergstra et al. 2011) seeded by the seed of the search. The record is written after each
    trial. A search that was stopped draws the same values again, and does not repeat trials whose score it
    knows.

    Args:
        config: The run to tune, with ``tune``; a learning rate or arguments that it sets are not searched.
        shared: Encoders and streams of this process.
        on_trial: Called after each trial with its number, from 0, and its score; None if it diverged.
        on_progress: Is told how far the work before and between the steps of a trial is.
        wandb: Logging of the trials to Weights & Biases, as a sweep.

    Returns:
        The file of the record.

    Raises:
        UserError: There is nothing to search, a run is not possible, or all trials diverged.
    """
    logged = dataclasses.replace(config, wandb=wandb)
    config, shared = search_of(config), Shared() if shared is None else shared
    assert config.tune is not None
    if config.tune.trials < 1:
        raise UserError(f"trials {config.tune.trials}: at least one is wanted")
    baseline = baseline_class(config.baseline)
    if not (ranges := space(baseline.info, config)):
        raise UserError(f"baseline '{config.baseline}' has no hyperparameter to search: all are given")
    short, first = _trial_config(config, shared), defaults(baseline, config)
    run = prepare(dataclasses.replace(short, results=config.results), shared=shared)
    path = run.path.with_name(SEARCH)
    found = next(iter(search_paths(path.parent, "")), path)
    earlier = SearchRecord.read(found)
    record = SearchRecord(about(config, shared), _source(run.result.provenance))
    known = earlier.trials if earlier is not None and earlier.about == record.about else ()
    tracker = TrialTracker(logged, run.result.config, ranges)
    if earlier is not None and known and earlier.done:
        for number, each in enumerate(known):
            tracker.log(number, each.values, each.score, each.seconds)
        return found

    sampler = _Sampler(first, ranges, config.seed, less=record.measure == BITS)
    for number in range(config.tune.trials):
        values = sampler.draw()
        if number < len(known) and known[number].values == values:
            made = known[number]
        else:
            known = ()  # drawn by another sampler: what follows is not comparable
            made = _tried(with_values(short, values), values, shared, on_progress)
        record = dataclasses.replace(record, trials=(*record.trials, made))
        record.write(path)
        sampler.tell(made.score)
        tracker.log(number, made.values, made.score, made.seconds)
        on_trial(number, made.score)
    if record.best is None:
        raise UserError(f"all {config.tune.trials} trials of the search diverged: {path}")
    return path


class _Sampler:
    """Draws the values of one trial after the other, each knowing the accuracy of those before.

    Args:
        first: The values of the first trial.
        ranges: The search space.
        seed: Decides what is drawn.
        less: Whether less of the score is better.
    """

    def __init__(
        self, first: Mapping[str, Any], ranges: Mapping[str, SearchRange], seed: int, *, less: bool
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="minimize" if less else "maximize", sampler=sampler)
        self._worst = sys.float_info.max if less else 0.0
        self._ranges = ranges
        self._first: Mapping[str, Any] | None = first
        self._trial: optuna.Trial | None = None

    def draw(self) -> dict[str, Any]:
        """The values of the next trial."""
        first, self._first, self._trial = self._first, None, None
        if first is not None:
            if None in first.values():  # with which a method chooses by itself: no point of the space
                return dict(first)
            self._study.enqueue_trial(dict(first))
        self._trial = self._study.ask()
        drawn = suggest(self._trial, self._ranges)
        return drawn if first is None else dict(first)  # defaults are not rounded

    def tell(self, score: float | None) -> None:
        """Takes note of the score of that trial; None if it diverged, which is as bad as can be."""
        if self._trial is not None:
            self._study.tell(self._trial, self._worst if score is None else score)


def suggest(trial: optuna.Trial, ranges: Mapping[str, SearchRange]) -> dict[str, Any]:
    """One value of each range, rounded to three significant digits where it is no integer."""
    chosen: dict[str, Any] = {}
    for name, each in ranges.items():
        low, high = each[0], each[-1]
        if isinstance(low, int) and isinstance(high, int):
            chosen[name] = trial.suggest_int(name, low, high, log=True)
        elif isinstance(low, float) and isinstance(high, float):
            chosen[name] = float(f"{trial.suggest_float(name, low, high, log=True):.3g}")
        else:
            chosen[name] = trial.suggest_categorical(name, each)
    return chosen


def _trial_config(config: RunConfig, shared: Shared) -> RunConfig:
    """The run of a trial, before hyperparameters are chosen."""
    assert config.tune is not None
    length = config.experiences or len(shared.scenario(config.scenario).parts)
    texts = [each for each in (config.train_per_class, config.tune.train_per_class) if each is not None]
    return dataclasses.replace(
        config,
        tune=None,
        experiences=min(config.tune.experiences or length, length),
        train_per_class=min(texts, default=None),
        split="validation",
        continuations=0,
        checkpoint=False,
        wandb="disabled",
    )


def _tried(
    config: RunConfig, values: Mapping[str, Any], shared: Shared, on_progress: OnProgress | None
) -> Trial:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="clbench-tune-") as folder:
        config = dataclasses.replace(config, results=Path(folder))
        run = prepare(config, shared=shared, on_progress=on_progress)
        try:
            score = execute(run, diagnose=False).metrics[RANKED[run.learner.context.task].name]
        except FloatingPointError:
            score = None
    return Trial(values, score, round(time.perf_counter() - started, 2))


def _source(provenance: Mapping[str, Any]) -> dict[str, Any]:
    import optuna

    kept = {name: provenance[name] for name in ("commit", "date", "machine")}
    return {**kept, "versions": {**provenance["versions"], "optuna": optuna.__version__}}
