"""Reports need the base installation alone; a command that needs an extra names it."""

import os
import subprocess
import sys
import tomllib
import venv

import pytest
from support.source_tree import ROOT, copy_sources

from clbench.cli import EXTRAS
from clbench.testing.streams import write_texts

RESULTS = sorted((ROOT / "results/quick/pydocs-dil/minilm").glob("*/order0-seed0.json"))[:3]
WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in {packages}
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
from clbench.cli import main
sys.exit(main(sys.argv[1:]))
"""
OPTIONAL = set.union(*EXTRAS.values())


def clbench(packages: set[str], *words: str) -> subprocess.CompletedProcess:
    """Runs ``clbench`` where these packages are not installed."""
    line = [sys.executable, "-c", WITHOUT.format(packages=packages), *words]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT)


def test_reports_are_made_without_any_optional_package(tmp_path):
    done = clbench(OPTIONAL, "report", *map(str, RESULTS), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert {"table.md", "table.csv", "table.tex", "table.html", "index.html"} <= names
    assert any(path.suffix == ".svg" for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("packages", "words", "extra"),
    [
        (OPTIONAL, ["run", "--scenario", "pydocs-cil", "--baseline", "ewc"], "train"),
        (OPTIONAL, ["reproduce", "--dry-run"], "train"),
        (OPTIONAL, ["tune", "--scenario", "pydocs-cil", "--baseline", "ewc"], "tune"),
        ({"optuna"}, ["tune", "--scenario", "pydocs-cil", "--baseline", "ewc", "--encoder", "tiny"], "tune"),
        ({"ray"}, ["reproduce", "--engine", "ray"], "ray"),
        (OPTIONAL, ["wandb", "push", str(RESULTS[0])], "wandb"),
        ({"wandb_workspaces"}, ["wandb", "dashboard", str(RESULTS[0]), "--dry-run"], "wandb"),
    ],
)
def test_a_command_that_needs_an_extra_names_it_in_one_line(packages, words, extra):
    done = clbench(packages, *words)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("clbench: error: ")
    assert line.endswith(f"is missing: pip install 'clbench[{extra}]'")


def test_a_run_that_asks_for_wandb_stops_before_it_begins_without_it(tmp_path):
    write_texts(tmp_path / "data")
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    words = [
        "run",
        "--scenario",
        str(scenario),
        "--baseline",
        "ncm",
        "--encoder",
        "tiny",
        "--max-tokens",
        "16",
    ]
    done = clbench({"wandb"}, *words, "--wandb", "offline", "--results", str(tmp_path / "runs"))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == "clbench: error: wandb is missing: pip install 'clbench[wandb]'"
    assert not (tmp_path / "runs").exists()


def test_an_extra_brings_the_packages_that_errors_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {"faiss": "faiss-cpu"}
    for extra, packages in EXTRAS.items():
        text = " ".join(project["optional-dependencies"][extra])
        if "clbench[train]" in text:
            text += " ".join(project["optional-dependencies"]["train"])
        for package in packages:
            assert names.get(package, package.replace("wandb_w", "wandb-w")) in text, (extra, package)
            assert not any(each.startswith(package) for each in project["dependencies"])


@pytest.mark.slow
def test_the_base_installation_makes_reports_and_has_no_torch(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*line: str) -> subprocess.CompletedProcess:
        return subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=surroundings)

    (tmp_path / "sources").mkdir()
    sources = str(copy_sources(tmp_path / "sources"))
    constraint = str(ROOT / "constraints.txt")
    installed = run(python, "-m", "pip", "install", "--quiet", "--constraint", constraint, sources)
    assert installed.returncode == 0, installed.stderr
    made = run(str(tmp_path / "venv/bin/clbench"), "report", *map(str, RESULTS), "--out", "report")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "report/table.md").exists()
    assert "No module named 'torch'" in run(python, "-c", "import torch").stderr
