"""A hyperparameter search in Weights & Biases: a run for each trial, all of them in one sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.io import write_text
from clbench.core.language_result import is_language
from clbench.reporting.names import full_name
from clbench.tracking import names
from clbench.tracking.live import usable
from clbench.tracking.session import Identity, begin, one_line, warn

ACCURACY, BITS = "validation/average_accuracy", "validation/bits_per_byte"
"""What a search maximizes, and what one of a language model minimizes."""


class TrialTracker:
    """Logs the trials of a search, or nothing if that is disabled. A logging error never ends the search.

    Online, the trials are the runs of a W&B sweep, which is created with the first of them; a search that
    goes on later adds to it. Offline there is no sweep, as the server makes them: the trials share a group.
    A trial has one id, so one that is logged again is replaced.

    Args:
        run: The run to tune; where and how it is logged.
        config: The resolved configuration of a trial with the defaults of the method.
        ranges: By hyperparameter, its two limits or its choices.
    """

    def __init__(self, run: RunConfig, config: Mapping[str, Any], ranges: Mapping[str, Any]) -> None:
        self._run, self._config, self._ranges = run, config, ranges
        self._mode = usable(run.wandb, run.results) if run.wandb != "disabled" else run.wandb
        place = "-".join(str(config[key]) for key in ("scenario", "encoder", "method"))
        self._group = run.wandb_group or f"tune-{place}"
        self._sweep: str | None = None
        if self._mode != "disabled":
            import wandb  # noqa: F401  # a missing package stops the search before it begins

    def log(self, number: int, values: Mapping[str, Any], score: float | None, seconds: float) -> None:
        """Logs one trial.

        Args:
            number: Which one, from 0.
            values: Its hyperparameters.
            score: Average accuracy or bits per byte on validation texts; None if training diverged.
            seconds: What it took.
        """
        if self._mode == "disabled":
            return
        try:
            self._log(number, values, score, seconds)
        except Exception as error:  # logging is never worth a search
            self._mode = "disabled"
            warn(f"logging to Weights & Biases ended ({one_line(error)}); the search goes on")

    def _log(self, number: int, values: Mapping[str, Any], score: float | None, seconds: float) -> None:
        assert self._mode != "disabled"
        if self._mode == "online" and self._sweep is None:
            self._sweep = self._known_sweep()
        config = self._config
        about = {key: config[key] for key in ("scenario", "encoder", "method", "order", "seed")}
        identity = Identity(
            id=names.short_hash([self._group, *map(str, about.values()), f"trial {number}"]),
            name=f"{full_name(config)}, {config['scenario']}, trial {number + 1}",
            group=self._group,
            job_type="tune",
            tags=names.tags(config),
        )
        run = begin(
            identity,
            {**about, "trial": number + 1, **values},
            self._mode,
            project=self._run.wandb_project,
            entity=self._run.wandb_entity,
            folder=self._run.results,
            sweep=self._sweep,
        )
        try:
            if score is not None:
                run.log({BITS if is_language(config) else ACCURACY: score})
            run.summary.update({"status": "diverged" if score is None else "done", "seconds": seconds})
        finally:
            run.finish(exit_code=1 if score is None else 0)

    def _known_sweep(self) -> str:
        """The id of the sweep of this search: the one that it began earlier, or else a new one."""
        import wandb

        run, definition = self._run, sweep_config(self._group, self._ranges, bits=is_language(self._config))
        key = names.short_hash([run.wandb_project, str(run.wandb_entity), json.dumps(definition)])
        path = run.results / "wandb" / f"sweep-{key}.txt"
        if path.exists():
            return path.read_text(encoding="utf-8").strip()
        made = wandb.sweep(definition, entity=run.wandb_entity, project=run.wandb_project)
        write_text(path, f"{made}\n")
        return str(made)


def sweep_config(name: str, ranges: Mapping[str, Any], *, bits: bool) -> dict[str, Any]:
    """The definition of a sweep in W&B's own terms.

    Args:
        name: That of the sweep.
        ranges: By hyperparameter, its two limits, searched on a logarithmic scale, or its choices.
        bits: Whether it is of a language model, whose bits per byte are minimized.

    Example:
        >>> sweep_config("tune-ewc", {"lr": (0.001, 0.1), "kind": ("a", "b")}, bits=False)["parameters"]["lr"]
        {'distribution': 'log_uniform_values', 'min': 0.001, 'max': 0.1}
    """
    kinds = {float: "log_uniform_values", int: "q_log_uniform_values"}  # the latter rounds to whole numbers
    parameters = {
        key: {"distribution": kinds[type(each[0])], "min": each[0], "max": each[1]}
        if type(each[0]) in kinds
        else {"values": list(each)}
        for key, each in ranges.items()
    }
    metric = {"name": BITS, "goal": "minimize"} if bits else {"name": ACCURACY, "goal": "maximize"}
    return {"name": name, "method": "bayes", "metric": metric, "parameters": parameters}
