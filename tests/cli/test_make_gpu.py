"""``make gpu`` goes through on a machine without a GPU: its tests are skipped, the rest is tiny."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = """
title: two small runs
methods: [{baseline: finetune, tuning: full}, {baseline: ncm}]
profiles:
  tiny:
    scenarios: [pydocs-cil]
    options: {encoder: tiny, experiences: 2, train_per_class: 4, test_per_class: 4, max_tokens: 16, epochs: 1}
"""


@pytest.mark.slow
def test_make_gpu(tmp_path):
    (tmp_path / "two.yaml").write_text(RUNS)
    given = {
        "PYTHON": sys.executable,
        "GPU_RUNS": str(tmp_path / "two.yaml"),
        "GPU_BENCH": "assign --encoder tiny",
        "GPU_WORKERS": "1",
        "GPU_RESULTS": str(tmp_path / "runs"),
    }
    (tmp_path / "runs").mkdir()
    done = subprocess.run(
        ["make", "gpu", *(f"{name}={value}" for name, value in given.items())],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "no GPU" in done.stdout or "no GPU" in done.stderr
    assert json.loads((tmp_path / "runs" / "speed.json").read_text())
    found = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "tiny").rglob("order*.json")]
    assert {(each["config"]["method"], each["status"]) for each in found} == {
        ("finetune-full", "done"),
        ("ncm", "done"),
    }


def test_what_the_time_limit_cuts_off_is_no_failure(tmp_path):
    """The status of ``timeout`` is 124; another one is that of what failed."""
    for status, expected in ((124, 0), (0, 0), (1, 2)):
        fake = tmp_path / "python"
        fake.write_text(f'#!/bin/sh\ncase "$*" in *reproduce*) exit {status};; esac\n')
        fake.chmod(0o755)
        done = subprocess.run(["make", "gpu", f"PYTHON={fake}"], cwd=ROOT, capture_output=True)
        assert done.returncode == expected, status
