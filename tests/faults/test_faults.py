"""Kills and other faults, injected into small runs: see ``support.faults.table``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
QUICK = ("infinite loss", "before the first", "finished run", "other code", "damaged checkpoints")


def table(*words: str) -> str:
    """The table in a process of its own, which forks: that of the tests has threads."""
    command = [sys.executable, "-m", "support.faults.table", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_some_kills_and_faults_are_survived():
    only = [word for name in QUICK for word in ("--only", name)]
    assert f"{3 + len(QUICK)} kinds of faults, 0 not survived" in table("--kills", "3", *only)


@pytest.mark.slow
def test_more_kills_and_all_other_faults_are_survived():
    assert " 0 not survived" in table("--kills", "5")
