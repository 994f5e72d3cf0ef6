"""``make reproduce DATA=DIR``: what it runs, and what becomes of scenarios whose data is not there."""

import json
import subprocess
from pathlib import Path

import pytest

from clbench.cli import main
from clbench.data.scenarios.facts import DATASETS
from clbench.studies.experiment import find_experiment

ROOT = Path(__file__).parents[2]
EXPERIMENT = """
title: two datasets
methods: [{baseline: ncm}]
profiles:
  data:
    scenarios: [clinc150-cil, r8-cil]
    options: {encoder: tiny, train_per_class: 2, test_per_class: 2, max_tokens: 16, threads: 1}
"""


@pytest.fixture
def line(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "two.yaml").write_text(EXPERIMENT)
    (tmp_path / "data").mkdir()
    words = [str(tmp_path / "two.yaml"), "--data-dir", str(tmp_path / "data"), "--workers", "1"]
    return ["reproduce", *words, "--results", str(tmp_path / "runs")]


def put_r8(data: Path) -> None:
    """Texts in the numbers of the real R8."""
    labels = DATASETS["r8"].labels
    (data / "r8").mkdir()
    for split, size in DATASETS["r8"].versions[0].sizes.items():
        rows = ({"text": f"{split} {at}", "label": labels[at % len(labels)]} for at in range(size))
        (data / "r8" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_is_there_runs_and_the_rest_is_named(line, tmp_path, capsys):
    put_r8(tmp_path / "data")
    assert main([*line, "--skip-missing-data"]) == 0
    captured = capsys.readouterr()
    fetch = f"clbench data fetch clinc150 --data-dir {tmp_path / 'data'}"
    assert f"left out: clinc150-cil; {fetch}\n" in captured.err
    assert "two datasets: 1 runs" in captured.out
    (found,) = (tmp_path / "runs" / "data").rglob("order*.json")
    assert json.loads(found.read_text())["config"]["scenario"] == "r8-cil"
    assert main(line) == 2
    assert "unknown dataset 'clinc150'" in capsys.readouterr().err


def test_without_any_data_there_is_one_line(line, tmp_path, capsys):
    assert main([*line, "--skip-missing-data"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"clbench: error: data folder {tmp_path / 'data'} has none of the datasets clinc150, r8"
    (tmp_path / "data").rmdir()
    assert main([*line, "--skip-missing-data"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_runs_can_be_limited_by_what_they_train(tmp_path, capsys):
    def counted(*words: str) -> list[str]:
        line = ["reproduce", "main", "--profile", "quick", "--results", str(tmp_path), "--dry-run"]
        assert main([*line, *words]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  to run")]
        return [line.split()[3] for line in lines]

    frozen, trained = counted("--only", "frozen"), counted("--only", "trained")
    assert {"dkvb-initialization=oracle", "finetune-frozen"} <= set(frozen)
    assert set(trained) == {"finetune-full", "replay-full", "ewc-full", "finetune-adapter"}
    assert sorted(frozen + trained) == sorted(counted())


def test_make_adds_two_datasets_at_full_size():
    """The quick comparison stays on built-in text."""

    def commands(*words: str) -> list[str]:
        done = subprocess.run(
            ["make", "-n", "reproduce", *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return [each.strip() for each in done.stdout.splitlines() if "clbench reproduce" in each]

    quick = ".venv/bin/clbench reproduce"
    assert commands() == [quick]
    assert commands("DATA=/d") == [f'{quick} full_size --data-dir "/d" --skip-missing-data', quick]
    runs = find_experiment("full_size").runs("data", Path("runs"), Path("/d"))
    assert {run.scenario for run in runs} == {"clinc150-cil", "r8-cil"}
    assert {(run.train_per_class, run.test_per_class, run.experiences, run.epochs) for run in runs} == {
        (None, None, None, None)
    }
