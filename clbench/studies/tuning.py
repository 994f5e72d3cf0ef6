"""Hyperparameter search: the same budget for every method, on validation texts only."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.data.scenarios import find_scenario
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.registry import baseline_class
from clbench.engine.shared import Shared
from clbench.methods.info import SearchRange
from clbench.methods.learner import ContinualLearner

if TYPE_CHECKING:
    import optuna

FIRST = 3
"""The default number of experiences that a search uses."""
LR_FACTOR = 30.0
"""The learning rate is searched between the method's default divided and multiplied by this factor."""


@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        values: Options of a run: ``lr``, and ``arguments`` where some were searched.
        accuracy: Average accuracy of the best trial on validation texts.
        default: That of the first trial, which has the method's own defaults.
        experiences: How many experiences it saw.
        trials: How many trials there were.
    """

    values: dict[str, Any]
    accuracy: float
    default: float
    experiences: int
    trials: int


def space(baseline: type[ContinualLearner], config: RunConfig) -> dict[str, SearchRange]:
    """The search space: the learning rate, and the arguments that the method lists and the user did not set.

    Raises:
        UserError: There is nothing to search.
    """
    found: dict[str, SearchRange] = {}
    if not baseline.info.gradient_free and config.lr is None:
        default = baseline.info.default_lr[config.tuning or baseline.info.tunings[0]]
        found["lr"] = (default / LR_FACTOR, default * LR_FACTOR)
    found |= {name: each for name, each in baseline.info.search.items() if name not in config.arguments}
    if not found:
        raise UserError(f"baseline '{config.baseline}' has no hyperparameter to search: all are given")
    return found


def search(
    config: RunConfig, *, trials: int, on_trial: Callable[[int, float], None] = lambda *_: None
) -> Found:
    """Runs ``trials`` short streams and returns the hyperparameters of the best one.

    A trial trains on the first experiences of the stream and is judged by the average accuracy after the
    last of them on their validation texts. The first trial has the method's defaults; the others are drawn by
    a tree-structured Parzen estimator (Bergstra et al. 2011) seeded by the run's seed.

    Args:
        config: The run to tune; a learning rate or arguments that it sets are not searched.
        trials: The number of trials.
        on_trial: Called after each trial with its number and its accuracy.

    Raises:
        UserError: There is nothing to search, or a run is not possible.
    """
    import optuna

    if trials < 1:
        raise UserError(f"trials {trials}: at least one is wanted")
    baseline = baseline_class(config.baseline)
    ranges = space(baseline, config)
    length = len(find_scenario(config.scenario).parts)
    first = min(FIRST, length) if config.experiences is None else config.experiences
    short = dataclasses.replace(
        config, experiences=first, split="validation", checkpoint=False, wandb="disabled"
    )

    shared = Shared()

    def objective(trial: optuna.Trial) -> float:
        chosen = {} if trial.number == 0 else suggest(trial, ranges)
        trial.set_user_attr("chosen", chosen)
        with tempfile.TemporaryDirectory(prefix="clbench-tune-") as folder:
            run = prepare(dataclasses.replace(_with(short, chosen), results=Path(folder)), shared=shared)
            accuracy = execute(run).metrics["average_accuracy"]
            assert accuracy is not None
        on_trial(trial.number, accuracy)
        return accuracy

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=config.seed))
    study.optimize(objective, n_trials=trials)
    best, default = study.best_trial, study.trials[0]
    chosen = _with(config, best.user_attrs["chosen"])
    values: dict[str, Any] = {} if chosen.lr is None else {"lr": chosen.lr}
    searched = {name: each for name, each in chosen.arguments.items() if name not in config.arguments}
    if searched:
        values["arguments"] = searched
    assert best.value is not None
    assert default.value is not None
    return Found(values, best.value, default.value, first, trials)


def suggest(trial: optuna.Trial, ranges: Mapping[str, SearchRange]) -> dict[str, Any]:
    """One value of each range, rounded to three significant digits."""
    chosen: dict[str, Any] = {}
    for name, each in ranges.items():
        if isinstance(each[0], str):
            chosen[name] = trial.suggest_categorical(name, each)
        else:
            low, high = each
            assert isinstance(low, float)
            assert isinstance(high, float)
            chosen[name] = float(f"{trial.suggest_float(name, low, high, log=True):.3g}")
    return chosen


def _with(config: RunConfig, chosen: Mapping[str, Any]) -> RunConfig:
    arguments = {name: value for name, value in chosen.items() if name != "lr"}
    return dataclasses.replace(
        config, lr=chosen.get("lr", config.lr), arguments={**config.arguments, **arguments}
    )
