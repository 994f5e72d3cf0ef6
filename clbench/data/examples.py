"""Some training texts of each experience, for a reader who wants to know what a scenario is about."""

from __future__ import annotations

from pathlib import Path

from clbench.core.errors import UserError
from clbench.core.scenario import Experience, Scenario
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream

COUNT, CHARACTERS = 3, 200


def example_texts(
    scenario: str, order: str = "0", data_dir: Path | None = None
) -> dict[str, list[tuple[str, str]]]:
    """The first training text of each of the first classes of every experience.

    Args:
        scenario: Its name or YAML file.
        order: Of the experiences, as result files have it.
        data_dir: The folder of the datasets.

    Returns:
        By the name of the experience, up to ``COUNT`` pairs of a class and the beginning of a text, with its
        second part behind a line if it has one; nothing where the data is not at hand.
    """
    try:
        found = find_scenario(scenario)
        numbered = int(order) if order.isdecimal() else order
        stream = load_stream(found, found.protocol, data_dir=data_dir, order=numbered)
    except UserError:
        return {}
    return {each.name: _texts(found, each) for each in stream.experiences}


def _texts(scenario: Scenario, experience: Experience) -> list[tuple[str, str]]:
    split = experience.splits["train"]
    columns = split[:]["column"]  # as a list: a column by itself is read row by row
    first = {column: at for at, column in reversed(list(enumerate(columns)))}  # of each class
    places = [*sorted(first.values()), *sorted(set(range(len(columns))) - set(first.values()))][:COUNT]
    return [
        (scenario.columns[row["column"]].rpartition(":")[2], _beginning(row["text"], row["text_pair"]))
        for row in (split[at] for at in places)
    ]


def _beginning(text: str, pair: str | None) -> str:
    whole = " ".join(text.split()) if pair is None else f"{' '.join(text.split())} | {' '.join(pair.split())}"
    return whole if len(whole) <= CHARACTERS else whole[:CHARACTERS].rstrip() + "…"
