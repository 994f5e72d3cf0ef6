"""Many runs of one experiment, side by side in worker processes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clbench.checkpoint import is_done
from clbench.config import run_config
from clbench.errors import UserError, unknown
from clbench.files import read_yaml
from clbench.prepare import prepare
from clbench.registry import baseline_class, import_path
from clbench.run import execute
from clbench.run_config import RunConfig
from clbench.settings import read_settings, tuned

AXES = frozenset({"scenarios", "seeds", "orders", "options", "settings"})
"""The keys of a profile."""

SETTINGS = "settings.yaml"
"""Among the experiments, the file of tuned values."""


@dataclass(frozen=True)
class Experiment:
    """One experiment as its file declares it.

    Attributes:
        name: The file's name.
        title: One line for lists.
        methods: What is compared: options of a run that differ from the defaults.
        profiles: By name, the scenarios, seeds, orders and options of all runs, and, under ``settings``,
            a file of tuned values for them beside the experiment's.
        folder: Where its file is.
    """

    name: str
    title: str
    methods: tuple[Mapping[str, Any], ...]
    profiles: Mapping[str, Mapping[str, Any]]
    folder: Path = Path()

    def runs(self, profile: str, results: Path, data_dir: Path | None) -> list[RunConfig]:
        """The configurations of all runs of a profile, in the order of the file.

        Raises:
            UserError: The profile is unknown, or an option is wrong.
        """
        if profile not in self.profiles:
            raise unknown(f"profile of experiment {self.name}", profile, self.profiles)
        axes = self.profiles[profile]
        settings = read_settings(self.folder / axes["settings"]) if "settings" in axes else []

        def config(method: Mapping[str, Any], scenario: str, **axis: Any) -> RunConfig:
            chosen = {"encoder": RunConfig.encoder, **axes.get("options", {}), **method, "scenario": scenario}
            baseline = baseline_class(chosen["baseline"])
            chosen |= {
                "baseline": import_path(baseline),
                "tuning": chosen.get("tuning") or baseline.tunings[0],
            }
            options, names = tuned(settings, chosen)
            places = {"results": str(results), "data_dir": data_dir and str(data_dir)}
            return dataclasses.replace(run_config({**options, **axis, **places}), tuned=names)

        return [
            config(method, scenario, seed=seed, order=str(order))
            for method in self.methods
            for scenario in axes["scenarios"]
            for order in axes.get("orders", [0])
            for seed in axes.get("seeds", [0])
        ]


def experiment_files() -> dict[str, Path]:
    """The experiments of the source tree that this code runs from, or else of the current folder."""
    folders = [Path(__file__).parents[1] / "experiments", Path("experiments")]
    folder = next((each for each in folders if each.is_dir()), None)
    found = sorted(folder.glob("*.yaml")) if folder else []
    return {path.stem: path for path in found if path.name != SETTINGS}


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

    Raises:
        UserError: It is not there, not YAML, or has other keys than ``title``, ``methods``, ``profiles``.
    """
    content = read_yaml(path, "experiment")
    wanted = {"title", "methods", "profiles"}
    if not isinstance(content, dict) or set(content) != wanted:
        raise UserError(f"experiment {path}: the keys {', '.join(sorted(wanted))} are wanted, and no others")
    for name, axes in content["profiles"].items():
        for key in set(axes) - AXES:
            raise UserError(f"experiment {path}, profile {name}: {unknown('key', key, AXES)}")
        if "scenarios" not in axes:
            raise UserError(f"experiment {path}, profile {name}: no scenarios")
    return Experiment(
        path.stem, content["title"], tuple(content["methods"]), content["profiles"], path.parent
    )


@dataclass(frozen=True)
class Outcome:
    """How one run of a sweep ended: ``error`` is one line, or None; ``skipped`` if it was done before."""

    config: RunConfig
    path: Path | None
    error: str | None = None
    skipped: bool = False


def run_all(configs: Sequence[RunConfig], *, workers: int, progress: bool) -> list[Outcome]:
    """Runs what is not done yet and returns how each run ended, in the given order.

    Each run is the same whatever the number of workers: it has its own seed and its own threads.
    """
    outcomes: dict[int, Outcome] = {}
    # New processes, not forks: threads of torch and tokenizers do not survive a fork.
    context = multiprocessing.get_context("spawn")
    bar = tqdm(total=len(configs), unit="run", disable=not progress)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin_worker, initargs=(os.getpid(),)
    ) as pool:
        pending = {pool.submit(_work, config): at for at, config in enumerate(configs)}
        for future in as_completed(pending):
            at = pending[future]
            try:
                outcomes[at] = future.result()
            except Exception as error:  # a worker that died (out of memory) takes its run with it
                outcomes[at] = Outcome(configs[at], None, f"{type(error).__name__}: {error}")
            bar.set_postfix_str(f"{configs[at].scenario} {configs[at].baseline.rpartition('.')[2]}")
            bar.update()
    bar.close()
    return [outcomes[at] for at in range(len(configs))]


def _begin_worker(parent: int) -> None:
    """What a worker prints would break the progress bar of the main process; failures are in outcomes."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _work(config: RunConfig) -> Outcome:
    path = None
    try:
        run = prepare(config)
        path = run.path
        if is_done(run):
            return Outcome(config, path, skipped=True)
        execute(run, replace=True)
    except Exception as error:  # one failed run must not end the others: it is reported with its line
        return Outcome(config, path, f"{type(error).__name__}: {error}".splitlines()[0])
    return Outcome(config, path)
