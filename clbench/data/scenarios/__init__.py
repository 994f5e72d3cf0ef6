"""The built-in scenarios, and scenarios that a user declares in a YAML file."""

from __future__ import annotations

from pathlib import Path

from clbench.core.errors import unknown
from clbench.core.scenario import Scenario
from clbench.data.scenarios import intents, language, long, paper, pydocs
from clbench.data.scenarios.custom import read_scenario

_ALL: tuple[Scenario, ...] = (
    *pydocs.SCENARIOS, *paper.SCENARIOS, *intents.SCENARIOS, *long.SCENARIOS, *language.SCENARIOS
)  # fmt: skip
SCENARIOS = {scenario.name: scenario for scenario in _ALL}


def find_scenario(name: str) -> Scenario:
    """The built-in scenario called ``name``, or the one declared in the YAML file ``name``.

    Raises:
        UserError: There is no such scenario (the message has the nearest name), or the file is invalid.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return read_scenario(Path(name))
    if name not in SCENARIOS:
        raise unknown("scenario", name, SCENARIOS)
    return SCENARIOS[name]
