"""A scenario of one's own: its data and its YAML file."""

import json
from pathlib import Path

from clbench.core.scenario import Scenario
from clbench.data.scenarios import find_scenario

KEYS = "keys: {text: body, label: queue, domain: site}\n"
"""The columns of ``tickets`` in ``tests/data/conftest.py``."""


def write(folder: Path, splits: dict, keys: tuple = ("text", "label")) -> None:
    """A folder of JSON lines."""
    folder.mkdir(parents=True)
    for name, rows in splits.items():
        lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def declared(folder: Path, text: str) -> Scenario:
    """The scenario of a YAML file with this text."""
    path = folder / "mine.yaml"
    path.write_text(text)
    return find_scenario(str(path))
