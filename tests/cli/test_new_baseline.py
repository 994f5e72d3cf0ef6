"""``clbench new-baseline``: what it writes runs as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clbench.cli import main

BIN = Path(sys.executable).parent


def run(folder: Path, *words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_its_test_and_its_experiment_run_and_it_is_clean(tmp_path):
    run(tmp_path, "clbench", "new-baseline", "my_method")
    run(
        tmp_path,
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "test_my_method.py",
        "-k",
        "formula or frozen",
    )
    config = Path(__file__).parents[2] / "pyproject.toml"
    run(tmp_path, "ruff", "check", "--config", str(config), "my_method.py")
    run(tmp_path, "ruff", "format", "--check", "--config", str(config), "my_method.py", "test_my_method.py")
    experiment = tmp_path / "my_method.yaml"
    small = experiment.read_text().replace("{max_tokens: 48", "{encoder: tiny, max_tokens: 16")
    experiment.write_text(small)
    run(tmp_path, "clbench", "reproduce", "my_method.yaml", "--results", "runs", "--workers", "1")
    methods = {path.parent.name for path in (tmp_path / "runs").glob("*/pydocs-cil/*/*/*.json")}
    assert methods == {"finetune-frozen", "mymethod-frozen"}


def test_in_a_source_tree_each_file_has_its_place(tmp_path, capsys):
    for name in ("baselines", "experiments", "tests"):
        (tmp_path / name).mkdir()
    assert main(["new-baseline", "other", "--into", str(tmp_path)]) == 0
    assert (tmp_path / "baselines" / "other.py").exists()
    assert "from baselines.other import Other" in (tmp_path / "tests" / "test_other.py").read_text()
    assert "baselines.other.Other" in (tmp_path / "experiments" / "other.yaml").read_text()
    assert str(tmp_path / "experiments" / "other.yaml") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ewc", "baseline with this name exists already"),
        ("My-Method", "small letters"),
        ("taken", "test_taken.py exists already"),
        ("lambda", "is a keyword of Python"),
        ("json", "a module with this name is installed"),
        ("torch", "a module with this name is installed"),
        ("clbench", "a module with this name is installed"),
    ],
)
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(name, expected, tmp_path, capsys):
    (tmp_path / "test_taken.py").write_text("")
    assert main(["new-baseline", name, "--into", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["test_taken.py"]
