"""Searches of an experiment that are finished, found without preparing any run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clbench.core.config import RunConfig
from clbench.core.result_paths import search_paths
from clbench.engine.shared import Shared
from clbench.studies.search_record import SearchRecord
from clbench.studies.tuning import about, search_of


def distinct_searches(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """The searches that runs take their hyperparameters from, each once."""
    found: list[RunConfig] = []
    for search in (search_of(config) for config in configs if config.tune is not None):
        if search not in found:
            found.append(search)
    return found


class Searches:
    """Finds the record of the search that a run takes its hyperparameters from.

    Args:
        shared: Encoders and streams; each is loaded once.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._records: dict[Path, list[tuple[Path, SearchRecord]]] = {}

    def find(self, config: RunConfig) -> tuple[Path, SearchRecord] | None:
        """The file and content of the record of a run's search, also of one that is not finished.

        Raises:
            UserError: There may be one, but the configuration or the data is wrong.
        """
        scenario, config = self._shared.scenario(config.scenario).name, search_of(config)
        if config.results not in self._records:
            read = [(path, SearchRecord.read(path)) for path in search_paths(config.results, "*/*/*/")]
            self._records[config.results] = [(path, each) for path, each in read if each is not None]
        places = [each for each in self._records[config.results] if each[0].parts[-4] == scenario]
        if not places:
            return None
        wanted = about(config, self._shared)
        return next((each for each in places if each[1].about == wanted), None)
