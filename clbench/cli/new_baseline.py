"""``clbench new-baseline``: a method, its test and an experiment, each as a file that runs as it is."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from clbench.core.arguments import Parser
from clbench.core.errors import UserError
from clbench.core.io import write_text
from clbench.engine.registry import baseline_names

TEMPLATES = Path(__file__).parent / "templates"


def main(arguments: Sequence[str]) -> int:
    """Writes the three files and says how to run them."""
    parser = Parser(
        "new-baseline",
        "Writes a baseline, its test and an experiment to start from.",
        "clbench new-baseline my_method",
    )
    parser.add_argument("name", help="name of the module, such as my_method")
    parser.add_argument("--into", metavar="DIR", default=".", help="the source tree, or a folder of your own")
    options = parser.read(arguments)
    name, into = options.name, Path(options.into)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"name '{name}': use small letters, digits and _, starting with a letter")
    if keyword.iskeyword(name):
        raise UserError(f"name '{name}' is a keyword of Python; choose another")
    if name in baseline_names():
        raise UserError(f"name '{name}': a baseline with this name exists already")
    if importlib.util.find_spec(name) is not None:
        raise UserError(f"name '{name}': a module with this name is installed already; choose another")
    tree = (into / "baselines").is_dir() and (into / "experiments").is_dir()
    module = f"baselines.{name}" if tree else name
    places = {
        "baseline.py": into / "baselines" / f"{name}.py" if tree else into / f"{name}.py",
        "test.py": into / "tests" / f"test_{name}.py" if tree else into / f"test_{name}.py",
        "experiment.yaml": into / "experiments" / f"{name}.yaml" if tree else into / f"{name}.yaml",
    }
    for path in places.values():
        if path.exists():
            raise UserError(f"{path} exists already; choose another name")
    words = {"module": module, "name": name, "title": "".join(part.capitalize() for part in name.split("_"))}
    for template, path in places.items():
        text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
        write_text(path, Template(text).substitute(words))
        print(path)
    print(f"\nTry them:\n  pytest {places['test.py']}\n  clbench reproduce {places['experiment.yaml']}")
    return 0
