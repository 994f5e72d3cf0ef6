"""The record of a hyperparameter search: one file beside the results that use its choice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.io import write_json
from clbench.core.language_result import is_language
from clbench.core.result_paths import compressed_path, result_text

SCHEMA = 1
BITS = "bits_per_byte"


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes:
        values: The learning rate ``lr`` and arguments of the method, as far as they are searched.
        score: The average accuracy, or the average bits per byte of a language model, on validation texts
            after the last experience; None if training diverged.
        seconds: What it took.
    """

    values: Mapping[str, Any]
    score: float | None
    seconds: float = 0.0


@dataclass(frozen=True)
class SearchRecord:
    """A search, also one that is not finished.

    Attributes:
        about: What the search depends on: its budget, its space, the configuration of its trials without the
            searched values, and the fingerprints of texts and weights. Equal searches have equal trials.
        source: Commit, versions, machine and date.
        trials: Those that are finished, in turn. The first one has the method's defaults.
    """

    about: Mapping[str, Any]
    source: Mapping[str, Any] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()

    @property
    def done(self) -> bool:
        """Whether all trials are finished, and one of them did not diverge."""
        return len(self.trials) == self.about["budget"]["trials"] and self.best is not None

    @property
    def best(self) -> Trial | None:
        """The trial with the best score, the first of equal ones; None if all diverged."""
        choose = min if self.measure == BITS else max
        return choose(
            (each for each in self.trials if each.score is not None), key=attrgetter("score"), default=None
        )

    @property
    def measure(self) -> str:
        """What the score is: ``accuracy``; of language models ``bits_per_byte``, of which less is better."""
        return BITS if is_language(self.about["config"]) else "accuracy"

    def chosen(self, config: RunConfig) -> RunConfig:
        """A run with the hyperparameters of the best trial.

        Raises:
            ValueError: The search has no best trial.
        """
        if self.best is None:
            raise ValueError("all trials of the search diverged")
        made = with_values(config, self.best.values)
        return dataclasses.replace(
            made, tune=None, tuned=tuple(sorted(self.best.values)), search=self._summary()
        )

    def write(self, path: Path) -> None:
        """Writes the record atomically; one that is compressed goes."""
        trials = [
            {"values": each.values, self.measure: each.score, "seconds": each.seconds} for each in self.trials
        ]
        content = {"schema": SCHEMA, "about": self.about, "provenance": self.source, "trials": trials}
        if self.done and self.best is not None:
            content["choice"] = dict(self.best.values)
        write_json(path, content)
        compressed_path(path).unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> SearchRecord | None:
        """The record in a file; None if there is none, or none that this version reads."""
        try:
            content = json.loads(result_text(path))
            if content["schema"] != SCHEMA:
                return None
            record = cls(content["about"], content["provenance"])
            trials = (
                Trial(each["values"], each[record.measure], each["seconds"]) for each in content["trials"]
            )
            return dataclasses.replace(record, trials=tuple(trials))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the search starts over

    def _summary(self) -> dict[str, Any]:
        """What result files hold of the search, from which its choice can be traced."""
        assert self.best is not None
        config = self.about["config"]
        return {
            "budget": self.about["budget"],
            "space": self.about["space"],
            "by": self.about["by"],
            **{name: config[name] for name in ("order", "seed", "split", "train_per_class")},
            "choice": dict(self.best.values),
            "trials": [{**each.values, self.measure: each.score} for each in self.trials],
            **{name: self.source.get(name) for name in ("commit", "date")},
        }


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """A run with this learning rate and these arguments."""
    arguments = {name: value for name, value in values.items() if name != "lr"}
    return dataclasses.replace(
        config, lr=values.get("lr", config.lr), arguments={**config.arguments, **arguments}
    )
