"""``clbench new-baseline``: a method, its test and an experiment, each as a file that runs as it is."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from clbench.core.arguments import Parser, word
from clbench.core.errors import UserError, shown
from clbench.core.io import check_folder, write_text
from clbench.core.ranges import Place
from clbench.engine.registry import baseline_names

LONGEST = 60
"""Letters of a name: it is also that of a class, files and folders of results."""
TAKEN = {*sys.stdlib_module_names, "baselines", "clbench", "conftest", "experiments", "tests"}
"""Names of modules that a new one would hide, or be hidden by."""
TEMPLATES = Path(__file__).parent / "templates"


def main(arguments: Sequence[str]) -> int:
    """Writes the three files and says how to run them."""
    parser = Parser(
        "new-baseline",
        "Writes a baseline, its test and an experiment to start from.",
        "clbench new-baseline my_method",
    )
    parser.add_argument("name", help="name of the module, such as my_method")
    text = "the source tree, or a folder of your own"
    parser.add_argument("--into", type=word(Place), metavar="DIR", default=".", help=text)
    options = parser.read(arguments)
    name, into = options.name, Path(options.into)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > LONGEST:
        wanted = f"use at most {LONGEST} small letters, digits and _, starting with a letter"
        raise UserError(f"name {shown(name)}: {wanted}")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise UserError(f"name '{name}' is a keyword of Python, or built in; choose another")
    if name in baseline_names():
        raise UserError(f"name '{name}': a baseline with this name exists already")
    if name in TAKEN or importlib.util.find_spec(name) is not None:
        raise UserError(f"name '{name}': a module with this name is installed already; choose another")
    check_folder(into, "option --into")
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
