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
from clbench.engine.method import find_method
from clbench.engine.options import converted, options_of
from clbench.engine.parser import run_config
from clbench.studies.search_space import space

AXES = ("seeds", "orders")
"""What a profile has a list of, and a scenario may have another one."""
ELSEWHERE = {
    "scenario": "the key scenarios", "baseline": "the key methods", "seed": "the key seeds",
    "order": "the key orders", "results": "--results", "data_dir": "--data-dir", "wandb": "--wandb",
    "wandb_group": "the names of experiment and profile",
}  # fmt: skip
"""Options of a run that an experiment's file does not set as such, and where they come from."""


@dataclass(frozen=True)
class Experiment:
    """One experiment as its file declares it.

    Attributes:
        name: Name of the file without its suffix.
        title: One line for ``clbench list``.
        methods: The compared methods, each as the options of its runs. The key ``scenarios`` limits a method
            to some scenarios; a list of learning rates ``lr`` stands for one method each.
        profiles: By name, the ``scenarios``, ``seeds``, ``orders`` and ``options`` of all runs; optionally
            ``encoders``, for a run with each; ``scenario_options``, further options and other seeds and
            orders by scenario; ``tune``, the budget of a hyperparameter search for each method and scenario;
            ``methods`` instead of the experiment's; ``trained``, other seeds, orders and options for runs
            that train the encoder, which take longer.
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
            only = method.get("scenarios") or axes["scenarios"]
            for scenario in (each for each in axes["scenarios"] if each in only):
                options, own = _chosen(method, axes, scenario)
                encoders = None if "encoder" in method else axes.get("encoders")
                axis = list(itertools.product(own.get("orders", [0]), own.get("seeds", [0])))
                for encoder, (place, (order, seed)) in itertools.product(
                    encoders or [options["encoder"]], enumerate(axis)
                ):
                    given = {**options, "encoder": encoder, "seed": seed, "order": str(order), **places}
                    made = self._run(given, f"{method['baseline']} on {scenario}")
                    group = f"{self.source}-{profile}"
                    made = dataclasses.replace(
                        made, tune=_budget(made, axes.get("tune"), axis[0]), wandb=wandb, wandb_group=group
                    )
                    configs.append((place, made))
        return [config for _, config in sorted(configs, key=lambda each: each[0])]

    def _run(self, options: Mapping[str, Any], entry: str) -> RunConfig:
        try:
            return run_config(options)
        except UserError as error:
            raise UserError(f"experiment {self.name}, {entry}: {error}") from error


def _from_here(value: Any, folder: Path, key: str = "") -> Any:
    """What a file has under a key, with the YAML files of scenarios from the folder of the file."""

    def place(name: str) -> str:
        return str(folder / name) if Path(name).suffix in (".yaml", ".yml") else name

    match key, value:
        case "scenarios", list():
            return [place(each) for each in value]
        case "scenario_options", Mapping():
            return {place(name): options for name, options in value.items()}
        case (("arguments" | "options"), _):
            return value
        case _, Mapping():
            return {name: _from_here(each, folder, name) for name, each in value.items()}
        case _, list():
            return [_from_here(each, folder) for each in value]
    return value


def _each(methods: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The methods; one with a list of learning rates is one method for each."""
    for method in methods:
        rates = method.get("lr")
        yield from ({**method, "lr": rate} for rate in rates) if isinstance(rates, list) else [method]


def _chosen(
    method: Mapping[str, Any], axes: Mapping[str, Any], scenario: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a method on a scenario in a profile, and the profile as it is for that method."""
    here = axes.get("scenario_options", {}).get(scenario, {})
    common = {**axes.get("options", {}), **_without_axes(here)}
    own = {name: value for name, value in method.items() if name != "scenarios"} | {"scenario": scenario}
    options = {"encoder": RunConfig.encoder, **common, **own}
    found = find_method(options["baseline"])
    tuning = options.get("tuning") or found.info.tunings[0]
    trained = axes.get("trained", {}) if tuning != "frozen" else {}
    options |= {**trained.get("options", {}), **own, "baseline": found.path, "tuning": tuning}
    return options, {**axes, **{name: here[name] for name in AXES if name in here}, **trained}


def _budget(config: RunConfig, tune: Mapping[str, Any] | None, first: tuple[Any, Any]) -> Budget | None:
    """The budget of the search for a run, on the first order and seed; None where nothing is searched."""
    if tune is None or not space(find_method(config.baseline).info, config):
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
        UserError: It is not there, not YAML, or a key or value is wrong.
    """
    return _read(path, ())


def _read(path: Path, before: tuple[Path, ...]) -> Experiment:
    from clbench.studies.experiment_file import experiment_content  # imports pydantic

    if path in before:
        raise UserError(f"experiment {path}: runs_of leads back to this file")
    content = experiment_content(path, read_yaml(path, "experiment"))
    table = tuple(content["table"]) if content.get("table") else None
    if "runs_of" in content:
        name = content["runs_of"]
        beside, known = path.with_name(f"{name}.yaml"), experiment_files()
        if not beside.exists() and name not in known:
            raise UserError(f"experiment {path}: {unknown('experiment of runs_of', name, known)}")
        other = _read(beside if beside.exists() else known[name], (*before, path))
        return dataclasses.replace(other, name=path.stem, title=content["title"], table=table)
    _check_options(path, content)
    content = _from_here(content, path.parent)
    methods = tuple(content["methods"])
    return Experiment(path.stem, content["title"], methods, content["profiles"], table, path.stem)


def _check_options(path: Path, content: Mapping[str, Any]) -> None:
    """Refuses options of a run that are wrong, or set elsewhere, also where no run of a profile has them."""
    for profile, axes in content["profiles"].items():
        given = [axes.get("options", {}), axes.get("trained", {}).get("options", {})]
        for options in (*given, *map(_without_axes, axes.get("scenario_options", {}).values())):
            where = f"experiment {path}: profile {profile}: option"
            _refuse_elsewhere(options, where)
            converted(options_of(RunConfig), options, where)
        for method in axes.get("methods", ()):
            _refuse_elsewhere(_own(method), f"experiment {path}: profile {profile}: methods: option")
    for method in content["methods"]:
        _refuse_elsewhere(_own(method), f"experiment {path}: methods: option")


def _without_axes(here: Mapping[str, Any]) -> dict[str, Any]:
    """The options among what a profile says of one scenario."""
    return {name: value for name, value in here.items() if name not in AXES}


def _own(method: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in method if name != "baseline")


def _refuse_elsewhere(names: Iterable[str], where: str) -> None:
    for name in names:
        if name in ELSEWHERE:
            raise UserError(f"{where} {name}: it comes from {ELSEWHERE[name]}")
