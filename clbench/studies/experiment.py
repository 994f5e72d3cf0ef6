"""Experiments: what a YAML file under ``experiments/`` declares, and the runs that follow from it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clbench.core.config import Budget, RunConfig
from clbench.core.errors import UserError, unknown
from clbench.core.io import read_yaml
from clbench.core.types import WandbMode
from clbench.engine.parser import run_config
from clbench.engine.registry import baseline_class, import_path
from clbench.studies.search_space import space

KEYS = frozenset({"title", "methods", "profiles", "table", "runs_of"})
"""The keys of an experiment's file."""
AXES = frozenset(
    {"scenarios", "seeds", "orders", "options", "scenario_options", "tune", "methods", "trained"}
)
"""The keys of a profile."""
TRAINED = frozenset({"seeds", "orders", "options"})
"""The keys of a profile's ``trained``."""
TUNE = frozenset({"trials", "experiences"})
"""The keys of a profile's ``tune``."""


@dataclass(frozen=True)
class Experiment:
    """One experiment as its file declares it.

    Attributes:
        name: Name of the file without its suffix.
        title: One line for ``clbench list``.
        methods: The compared methods, each as the options of its runs. The key ``scenarios`` limits a method
            to some scenarios; a list of learning rates ``lr`` stands for one method each.
        profiles: By name, the ``scenarios``, ``seeds``, ``orders`` and ``options`` of all runs; optionally
            ``scenario_options``, further options by scenario; ``tune``, the ``trials`` and ``experiences`` of
            a hyperparameter search for each method and scenario; ``methods`` instead of the experiment's;
            ``trained``, other seeds, orders and options for runs that train the encoder, which take longer.
        table: The measures that its tables show, by name and in this order; None shows the default ones.
        source: The experiment that the runs belong to: its own name, or that of ``runs_of``.
    """

    name: str
    title: str
    methods: tuple[Mapping[str, Any], ...]
    profiles: Mapping[str, Mapping[str, Any]]
    table: tuple[str, ...] | None = None
    source: str = ""

    def runs(
        self, profile: str, results: Path, data_dir: Path | None, *, wandb: WandbMode = "disabled"
    ) -> list[RunConfig]:
        """The configurations of all runs of a profile, in the order of the file.

        The first order and seed of every method come before the second of any: a sweep that was stopped
        compares all of them already.

        Args:
            profile: Which one.
            results: Where result files go.
            data_dir: The folder of JSON lines, where a scenario reads one.
            wandb: Logging to Weights & Biases, in a group of this experiment and profile.

        Raises:
            UserError: The profile is unknown, or an option is wrong.
        """
        if profile not in self.profiles:
            raise unknown(f"profile of experiment {self.name}", profile, self.profiles)
        axes = self.profiles[profile]
        places = {"results": str(results), "data_dir": data_dir and str(data_dir)}
        configs: list[tuple[int, RunConfig]] = []
        for method in _each(axes.get("methods", self.methods)):
            only = method.get("scenarios", axes["scenarios"])
            for scenario in (each for each in axes["scenarios"] if each in only):
                options, own = _chosen(method, axes, scenario)
                axis = list(itertools.product(own.get("orders", [0]), own.get("seeds", [0])))
                for place, (order, seed) in enumerate(axis):
                    made = run_config({**options, "seed": seed, "order": str(order), **places})
                    group = f"{self.source}-{profile}"
                    made = dataclasses.replace(
                        made, tune=_budget(made, axes.get("tune"), axis[0]), wandb=wandb, wandb_group=group
                    )
                    configs.append((place, made))
        return [config for _, config in sorted(configs, key=lambda each: each[0])]


def _each(methods: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The methods; one with a list of learning rates is one method for each."""
    for method in methods:
        rates = method.get("lr")
        yield from ({**method, "lr": rate} for rate in rates) if isinstance(rates, list) else [method]


def _chosen(
    method: Mapping[str, Any], axes: Mapping[str, Any], scenario: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a method on a scenario in a profile, and the profile as it is for that method."""
    common = {**axes.get("options", {}), **axes.get("scenario_options", {}).get(scenario, {})}
    own = {name: value for name, value in method.items() if name != "scenarios"} | {"scenario": scenario}
    options = {"encoder": RunConfig.encoder, **common, **own}
    baseline = baseline_class(options["baseline"])
    tuning = options.get("tuning") or baseline.info.tunings[0]
    trained = axes.get("trained", {}) if tuning != "frozen" else {}
    options |= {**trained.get("options", {}), **own, "baseline": import_path(baseline), "tuning": tuning}
    return options, {**axes, **trained}


def _budget(config: RunConfig, tune: Mapping[str, Any] | None, first: tuple[Any, Any]) -> Budget | None:
    """The budget of the search for a run, on the first order and seed; None where nothing is searched."""
    if tune is None or not space(baseline_class(config.baseline), config):
        return None
    every = tune.get("experiences") == "all"
    limits = {**tune, "experiences": None} if every else tune
    return Budget(**limits, order=str(first[0]), seed=first[1])


def experiment_files() -> dict[str, Path]:
    """The experiments of clbench and those in ``experiments/`` of the current folder, by name.

    Of two with the same name, that of the current folder counts.
    """
    package = Path(__file__).parents[1]
    installed = package / "experiments"  # in a wheel; in a source tree it stands beside the package
    shipped = installed if installed.is_dir() else package.parent / "experiments"
    found = [path for folder in (shipped, Path("experiments")) for path in sorted(folder.glob("*.yaml"))]
    return {path.stem: path for path in found}


def find_experiment(name: str) -> Experiment:
    """The experiment of a declared name, or of a YAML file."""
    known = experiment_files()
    if name in known:
        return read_experiment(known[name])
    if Path(name).suffix in (".yaml", ".yml"):
        return read_experiment(Path(name))
    raise unknown("experiment", name, known)


def read_experiment(path: Path) -> Experiment:
    """Reads and checks an experiment's file.

    With ``runs_of``, the name of another experiment, it has the methods and profiles of that one: it is
    another table of the same runs.

    Raises:
        UserError: It is not there, not YAML, has other keys than ``KEYS``, or lacks some.
    """
    content = read_yaml(path, "experiment")
    if not isinstance(content, dict):
        raise UserError(f"experiment {path}: 'key: value' lines are expected")
    for key in set(content) - KEYS:
        raise UserError(f"experiment {path}: {unknown('key', key, KEYS)}")
    wanted = {"title", "runs_of"} if "runs_of" in content else {"title", "methods", "profiles"}
    for key in sorted(wanted - set(content)):
        raise UserError(f"experiment {path}: no '{key}'")
    table = tuple(content["table"]) if "table" in content else None
    if "runs_of" in content:
        beside = path.with_name(f"{content['runs_of']}.yaml")
        other = read_experiment(beside) if beside.exists() else find_experiment(content["runs_of"])
        return dataclasses.replace(other, name=path.stem, title=content["title"], table=table)
    for name, axes in content["profiles"].items():
        where = f"experiment {path}, profile {name}"
        for key in set(axes) - AXES:
            raise UserError(f"{where}: {unknown('key', key, AXES)}")
        for key in set(axes.get("trained", {})) - TRAINED:
            raise UserError(f"{where}: {unknown('key of trained', key, TRAINED)}")
        if "tune" in axes:
            _check_tune(where, axes["tune"])
        if "scenarios" not in axes:
            raise UserError(f"{where}: no scenarios")
        scenarios = axes["scenarios"]
        for scenario in set(axes.get("scenario_options", {})) - set(scenarios):
            raise UserError(f"{where}: {unknown('scenario of scenario_options', scenario, scenarios)}")
    methods = tuple(content["methods"])
    return Experiment(path.stem, content["title"], methods, content["profiles"], table, path.stem)


def _check_tune(where: str, tune: Any) -> None:
    if not isinstance(tune, dict):
        raise UserError(f"{where}: tune is {tune!r}; expected a mapping such as 'trials: 16'")
    for key, value in tune.items():
        if key not in TUNE:
            raise UserError(f"{where}: {unknown('key of tune', key, TUNE)}")
        whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if not whole and (key, value) != ("experiences", "all"):
            wanted = "at least 1" + (", or all" if key == "experiences" else "")
            raise UserError(f"{where}: {key} of tune is {value!r} and must be {wanted}")
