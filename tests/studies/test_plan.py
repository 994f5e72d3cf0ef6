"""``clbench reproduce --dry-run``: what is done, what failed, what is left and how long it takes."""

import json
from pathlib import Path

import pytest

from clbench.cli import main
from clbench.testing.streams import write_texts


@pytest.fixture
def line(tmp_path, in_process) -> list[str]:
    write_texts(tmp_path / "data")
    scenario = tmp_path / "six.yaml"
    scenario.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    experiment = tmp_path / "small.yaml"
    experiment.write_text(
        "title: small\nmethods:\n  - {baseline: ncm}\n  - {baseline: slda}\nprofiles:\n  quick:\n"
        f"    scenarios: [{scenario}]\n    seeds: [0, 1]\n    options: {{encoder: tiny, threads: 1}}\n"
    )
    return ["reproduce", str(experiment), "--results", str(tmp_path / "runs"), "--workers", "1"]


def results(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "runs").glob("*/six/tiny/*/*.json"))


def test_a_dry_run_says_what_is_left_and_runs_nothing(line, tmp_path, capsys):
    assert main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("to run") == 4
    assert "0 done, 4 left: nothing like them was measured here yet" in shown
    assert not results(tmp_path)

    assert main(line) == 0
    capsys.readouterr()
    assert main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("done    six") == 4
    assert "4 done, 0 left" in shown


def test_the_time_of_what_is_left_is_that_of_what_is_done(line, tmp_path, capsys):
    assert main(line) == 0
    first, second, third, fourth = results(tmp_path)
    for path, seconds in ((first, 600.0), (third, 120.0)):
        content = json.loads(path.read_text())
        assert content["costs"]["wall_seconds"] > 0
        content["costs"]["wall_seconds"] = seconds
        path.write_text(json.dumps(content))
    second.unlink()
    failed = json.loads(fourth.read_text()) | {"status": "failed", "error": "ValueError: too bad"}
    fourth.write_text(json.dumps(failed))
    capsys.readouterr()
    assert main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "to run  six ncm order0-seed1  600 s" in shown  # as the other seed of the same method
    assert "failed  six slda order0-seed1  120 s  (ValueError: too bad)" in shown
    assert "2 done, 2 left: about 12 min with 1 at a time" in shown
    assert main(line) == 0  # runs what is missing, and again what failed
    assert {json.loads(path.read_text())["status"] for path in results(tmp_path)} == {"done"}
