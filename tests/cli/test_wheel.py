"""The built wheel works outside of the source tree, with all files that the commands need."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.source_tree import ROOT, copy_sources

DATA = ("py.typed", "core/*.bib", "cli/templates/*", "reporting/site/templates/*", "reporting/site/static/*")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing of an earlier build gets in."""
    folder = copy_sources(tmp_path_factory.mktemp("wheel"))
    pip(["wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder / "dist"), str(folder)])
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip(["install", "--no-deps", "--target", str(folder), str(wheel)])
    return folder


def pip(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def run(installed: Path, folder: Path, *words: str) -> str:
    """What ``clbench`` prints in a folder where only the installed package is found, not the source tree."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "CLBENCH_CACHE": str(folder / "cache")}
    program = [sys.executable, "-m", "clbench", *words]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_every_module_and_every_file_that_is_read(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(ROOT)) for top in ("clbench", "baselines") for path in (ROOT / top).rglob("*.py")
    }
    data = {str(path.relative_to(ROOT)) for pattern in DATA for path in (ROOT / "clbench").glob(pattern)}
    experiments = {f"clbench/{path.relative_to(ROOT)}" for path in (ROOT / "experiments").glob("*.yaml")}
    assert len(data) > len(DATA)
    assert modules | data | experiments | {"baselines/py.typed"} <= held
    assert not any(name.startswith(("experiments", "tests", "setup")) for name in held)


def test_its_experiments_are_listed_with_those_of_the_current_folder(installed, tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("title: my own table\nruns_of: main\n")
    (tmp_path / "experiments" / "other.yaml").write_text("colors: [red]\n")
    shown = run(installed, tmp_path, "list", "experiments")
    names = {line.split()[0] for line in shown.splitlines()[1:]}
    shipped = {path.stem for path in (ROOT / "experiments").glob("*.yaml")}
    assert names == shipped | {"mine", "other"}
    assert "my own table" in shown
    assert "unknown key 'colors'" in shown


def test_an_experiment_can_be_planned(installed, tmp_path):
    assert "ewc" in run(installed, tmp_path, "list")
    assert "40 left" in run(installed, tmp_path, "reproduce", "--dry-run")
    program = "import clbench, baselines; print(clbench.__file__, baselines.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert found.stdout.count(str(installed)) == 2
