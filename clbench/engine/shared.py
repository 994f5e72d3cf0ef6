"""What runs of one process have in common: scenarios, encoders, streams and the budget of the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.io import cache_budget, cache_dir
from clbench.core.scenario import Protocol, Scenario, Stream
from clbench.core.types import Precision, Task
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream, of_kind
from clbench.models.causal_lm import load_language_model
from clbench.models.encoder import TextEncoder, load_encoder
from clbench.models.feature_budget import Budget
from clbench.models.feature_cache import LAYOUT

STREAMS = 8
"""How many streams are kept: sweeps go through the scenarios of an experiment in turn."""
LOADERS: Mapping[Task, Callable[[str, Precision], TextEncoder]] = {
    "classification": load_encoder,
    "language-model": load_language_model,
}


class Shared:
    """Scenarios, encoders and streams, by what they depend on.

    A run uses files as they were when this process first read them, and its result holds the fingerprints of
    exactly that content. A file that changes later is noticed by the next process.
    """

    def __init__(self) -> None:
        self._scenarios: dict[str, Scenario] = {}
        self._encoders: dict[tuple[str, Precision, Task], TextEncoder] = {}
        self._streams: list[tuple[tuple[Any, ...], Stream]] = []
        self._budgets: dict[tuple[Path, int], Budget] = {}

    def scenario(self, name: str) -> Scenario:
        """The scenario of a name or YAML file. Labels of a scenario of one's own come from its texts.

        Raises:
            UserError: See ``find_scenario``.
        """
        if name not in self._scenarios:
            self._scenarios[name] = find_scenario(name)
        return self._scenarios[name]

    def encoder(self, config: RunConfig, task: Task = "classification") -> TextEncoder:
        """The encoder of a run; of a language model's, with its output layer.

        Raises:
            UserError: See ``load_encoder`` and ``load_language_model``.
        """
        key = (config.encoder, config.precision, task)
        if key not in self._encoders:
            self._encoders[key] = LOADERS[task](config.encoder, config.precision)
        return self._encoders[key]

    def stream(self, config: RunConfig, scenario: Scenario, protocol: Protocol) -> Stream:
        """The stream of a run.

        Raises:
            UserError: See ``load_stream``.
        """
        limits = (protocol.validation_share, protocol.train_per_class, protocol.test_per_class)
        separate = config.split == "validation"
        key = (scenario, limits, config.data_dir, config.order, config.experiences, separate)
        found = next((stream for other, stream in self._streams if other == key), None)
        if found is None:
            found = load_stream(
                scenario,
                protocol,
                data_dir=config.data_dir,
                order=config.order,
                first=config.experiences,
                separate=separate,
            )
        self._streams = [(key, found), *(each for each in self._streams if each[0] != key)][:STREAMS]
        return of_kind(found, config.stream_kind)

    def budget(self) -> Budget:
        """The byte budget of the cache of features, whose files are then looked at once for many runs.

        Raises:
            UserError: See ``cache_budget``.
        """
        whole, limit = cache_dir(), cache_budget()
        if (whole, limit) not in self._budgets:
            self._budgets[whole, limit] = Budget(whole / f"features-{LAYOUT}", limit, whole)
        return self._budgets[whole, limit]


def fingerprints(encoder: TextEncoder, stream: Stream) -> dict[str, str]:
    """What tells whether a result is of the same texts and weights."""
    return {"data": stream.fingerprint, "encoder": encoder.fingerprint}
