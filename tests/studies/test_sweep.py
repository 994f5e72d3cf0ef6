"""``clbench reproduce``: which experiments it takes, and that the number of workers changes nothing."""

import json
from pathlib import Path

import pandas as pd
import pytest

from clbench.cli import main
from clbench.studies.sweep import run_all
from clbench.testing.streams import write_texts


@pytest.fixture
def scenario(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    path = tmp_path / "six.yaml"
    path.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    return path


def experiment(scenario: Path, name: str, *methods: str) -> Path:
    path = scenario.with_name(f"{name}.yaml")
    lines = "".join(f"  - {method}\n" for method in methods)
    path.write_text(
        f"title: the {name} one\nmethods:\n{lines}profiles:\n  {name}:\n    scenarios: [{scenario}]\n"
        "    options: {encoder: tiny, threads: 1, epochs: 1}\n"
    )
    return path


DKVB = "{baseline: dkvb, arguments: {heads: 4, keys: 16}}"
REPLAY = "{baseline: replay, tuning: full}"


def outcomes(folder: Path) -> dict[str, dict]:
    """Every result file, without what is measured by a clock, and without where and when."""
    found = {}
    for path in sorted(folder.rglob("order*-seed*.json")):
        content = json.loads(path.read_text())
        del content["provenance"], content["costs"]["seconds"]
        del content["costs"]["wall_seconds"], content["costs"]["peak_bytes"]
        for each in content["experiences"]:
            del each["seconds"]
        found[str(path.relative_to(folder))] = content
    return found


def test_one_worker_and_two_give_the_same_results(scenario, tmp_path, capsys):
    path = experiment(scenario, "both", DKVB, REPLAY, "{baseline: slda}")
    for workers in ("1", "2"):
        line = ["reproduce", str(path), "--workers", workers, "--results", str(tmp_path / workers)]
        assert main(line) == 0
    one, two = (outcomes(tmp_path / workers) for workers in ("1", "2"))
    assert len(one) == 3
    assert one == two
    assert "3 run in" in capsys.readouterr().out


def test_a_profile_alone_takes_every_experiment_that_has_it(scenario, monkeypatch, capsys):
    paths = [
        experiment(scenario, "first", "{baseline: ncm}"),
        experiment(scenario, "second", "{baseline: slda}"),
    ]
    shared = scenario.with_name("shared.yaml")
    shared.write_text("title: another table\nruns_of: first\n")
    known = {path.stem: path for path in (*paths, shared)}
    monkeypatch.setattr("clbench.studies.experiment.experiment_files", lambda: known)
    monkeypatch.setattr("clbench.studies.reproduction.experiment_files", lambda: known)
    assert main(["reproduce", "--profile", "first", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("to run") == 1  # of two experiments with the same run
    assert "ncm" in shown
    assert "slda" not in shown
    assert main(["reproduce", "--profile", "third", "--dry-run"]) == 2
    assert "no experiment has a profile 'third'; known: first, second" in capsys.readouterr().err


def test_what_experiments_share_is_looked_at_once(scenario, tmp_path, monkeypatch, capsys):
    first = experiment(scenario, "first", "{baseline: ncm}", "{baseline: slda}")
    more = experiment(scenario, "more", "{baseline: slda}", "{baseline: ranpac}", "{baseline: ncm}")
    more.write_text(more.read_text().replace("  more:", "  first:"))
    asked = []

    def watched(configs, **options):
        asked.append([config.baseline.rpartition(".")[2] for config in configs])
        return run_all(configs, **options)

    monkeypatch.setattr("clbench.studies.reproduction.run_all", watched)
    line = ["reproduce", str(first), str(more), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 0
    assert asked == [["NCM", "SLDA"], ["RanPAC"]]
    assert "1 run in" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "runs/first/report/more/table.csv")
    assert sorted(table["method"]) == ["ncm", "ranpac", "slda"]


def test_two_runs_that_differ_do_not_write_one_file(scenario, tmp_path, capsys):
    path = experiment(scenario, "twice", "{baseline: ncm}", "{baseline: ncm, batch_size: 3}")
    line = ["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 2
    assert "ncm/order0-seed0.json: two different runs write this file" in capsys.readouterr().err


def test_what_failed_is_listed_and_tried_again(scenario, tmp_path, capsys):
    path = experiment(scenario, "bad", "{baseline: ncm}", "{baseline: dkvb, arguments: {heads: 5}}")
    line = ["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]
    for before in (0, 1):
        assert main(line) == 1
        captured = capsys.readouterr()
        assert f"{1 - before} run in" in captured.out
        assert f"{before} done before, 1 failed" in captured.out
        assert "DKVB: UserError" in captured.err
        assert "1 failed: the same command tries them again" in captured.err
