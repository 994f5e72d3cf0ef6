"""The trials of ``clbench tune`` in Weights & Biases, read back with wandb's own reader."""

import json

import pytest
import wandb
from support.wandb_files import alone, history, of, options, records, run_folders, stream, summary

from clbench.cli import main
from clbench.tracking import trials
from clbench.tracking.trials import sweep_config

RECORD = "three/tiny/finetune-frozen/search.json"


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path_factory):
    alone(monkeypatch, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return stream(tmp_path_factory.mktemp("data"))


def tuned(scenario, results, *more):
    line = ["tune", *options(scenario, results, *more), "--trials", "3", "--epochs", "1"]
    assert main(line) == 0
    (path,) = results.rglob("search.json")
    return json.loads(path.read_text())["trials"]


def by_trial(results):
    read = [records(folder) for folder in run_folders(results)]
    return sorted(read, key=lambda each: config_of(each)["trial"])


def config_of(read):
    (run,) = of("run", read)
    return {name: value for name, value in run["config"]["update"].items() if name != "_wandb"}


def test_each_trial_is_a_run_of_one_group(scenario, tmp_path):
    made = tuned(scenario, tmp_path, "--wandb", "offline")
    found = by_trial(tmp_path)
    assert len(found) == len(made) == 3
    runs = [of("run", read)[0] for read in found]
    assert {run["run_group"] for run in runs} == {"tune-three-tiny-finetune-frozen"}
    assert {run["job_type"] for run in runs} == {"tune"}
    assert [run["display_name"] for run in runs] == [
        f"Fine-tuning, frozen, three, trial {number}" for number in (1, 2, 3)
    ]
    assert len({run["run_id"] for run in runs}) == 3
    assert not any(run.get("sweep_id") for run in runs)  # the server makes sweeps
    for number, (read, trial) in enumerate(zip(found, made, strict=True), start=1):
        about = {"scenario": "three", "encoder": "tiny", "method": "finetune-frozen", "order": "0", "seed": 0}
        assert config_of(read) == {**about, "trial": number, **trial["values"]}
        assert [each["validation/average_accuracy"] for each in history(read)] == [trial["accuracy"]]
        assert summary(read)["status"] == "done"
        assert of("exit", read)[0].get("exit_code", 0) == 0


def test_a_search_that_is_finished_is_logged_from_its_record(scenario, tmp_path, monkeypatch):
    made = tuned(scenario, tmp_path)
    assert not run_folders(tmp_path)
    monkeypatch.setattr("clbench.studies.tuning.execute", None)  # nothing is run again
    assert tuned(scenario, tmp_path, "--wandb", "offline") == made
    logged = [history(read)[0]["validation/average_accuracy"] for read in by_trial(tmp_path)]
    assert logged == [trial["accuracy"] for trial in made]


def test_online_the_trials_are_those_of_one_sweep(scenario, tmp_path, monkeypatch):
    asked, init = [], wandb.init
    monkeypatch.setattr(trials, "usable", lambda *_: "online")
    monkeypatch.setattr(wandb, "sweep", lambda config, **where: asked.append((config, where)) or "s1")
    monkeypatch.setattr(wandb, "init", lambda **named: init(**{**named, "mode": "offline"}))
    for _ in range(2):  # a search that goes on, or is logged again, has the sweep that it has
        tuned(scenario, tmp_path, "--wandb", "online")
    ((config, where),) = asked
    assert where == {"entity": None, "project": "clbench"}
    assert config["metric"] == {"name": "validation/average_accuracy", "goal": "maximize"}
    assert set(config["parameters"]) == set(
        json.loads((tmp_path / RECORD).read_text())["trials"][0]["values"]
    )
    runs = [of("run", records(folder))[0] for folder in run_folders(tmp_path)]
    assert {run["sweep_id"] for run in runs} == {"s1"}
    assert len({run["run_id"] for run in runs}) == 3


def test_a_fault_of_the_library_costs_one_line_and_no_search(scenario, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError("disk full\nand more")

    monkeypatch.setattr(wandb, "init", fail)
    assert len(tuned(scenario, tmp_path, "--wandb", "offline")) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "disk full and more" in error


def test_a_diverged_trial_says_so(tmp_path, scenario, monkeypatch):
    def diverge(*_, **__):
        raise FloatingPointError("nan")

    monkeypatch.setattr("clbench.studies.tuning.execute", diverge)
    line = ["tune", *options(scenario, tmp_path, "--wandb", "offline"), "--trials", "1", "--epochs", "1"]
    assert main(line) == 2
    (folder,) = run_folders(tmp_path)
    read = records(folder)
    assert summary(read)["status"] == "diverged"
    assert not history(read)
    assert of("exit", read)[0]["exit_code"] == 1


def test_a_sweep_has_the_space_of_the_search():
    found = sweep_config("a", {"lr": (0.1, 1.0), "keys": (64, 4096), "kind": ("x", "y")}, bits=True)
    assert found["metric"] == {"name": "validation/bits_per_byte", "goal": "minimize"}
    assert found["parameters"] == {
        "lr": {"distribution": "log_uniform_values", "min": 0.1, "max": 1.0},
        "keys": {"distribution": "q_log_uniform_values", "min": 64, "max": 4096},
        "kind": {"values": ["x", "y"]},
    }
