"""Runs logged to Weights & Biases while they happen: what is on disk is read back with wandb's own reader."""

import base64
import copy
import hashlib
import json
import time
from pathlib import Path

import pytest
import wandb
from support.language_runs import language_run
from support.wandb_files import (
    alone,
    alone_in_a_process,
    artifact,
    history,
    of,
    options,
    records,
    rows,
    run_folders,
    stream,
    summary,
    table,
)

from clbench.cli import main
from clbench.core.result import RunResult
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import parse_run

PATH = Path("three/tiny/finetune-frozen/order0-seed0.json")


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path_factory):
    alone(monkeypatch, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return stream(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def logged(scenario, tmp_path_factory):
    """The results folder of one run, its result file, its W&B folder and the records in it."""
    with pytest.MonkeyPatch.context() as patch:
        alone(patch, tmp_path_factory.getbasetemp())
        results = tmp_path_factory.mktemp("logged")
        assert main(["run", *options(scenario, results, "--wandb", "offline")]) == 0
        (folder,) = run_folders(results)
        return json.loads((results / PATH).read_text()), results / PATH, folder, records(folder)


def test_a_run_has_the_names_that_dashboards_group_by(logged):
    result, _, _, read = logged
    (run,) = of("run", read)
    assert run["display_name"] == "Fine-tuning, frozen, three, order 0, seed 0"
    assert (run["project"], run["run_group"], run["job_type"]) == ("clbench", "three", "finetune-frozen")
    assert run["tags"] == ["three", "tiny", "frozen"]
    config = {name: value for name, value in run["config"]["update"].items() if name != "_wandb"}
    assert config == result["config"] | {"family": "naive"}


def test_curves_have_their_own_axes(logged):
    defined = {
        each.get("name") or each["glob_name"]: each.get("step_metric") for each in of("metric", logged[3])
    }
    assert defined == {
        "experience": None,
        "train/step": None,
        "train/*": "train/step",
        "eval/*": "experience",
        "stage/*": "experience",
        "diagnostics/*": "experience",
    }


def test_every_metric_of_every_experience_is_there(logged):
    result, _, _, read = logged
    found = rows(read)
    assert [each["experience"] for each in found] == [1, 2, 3]
    for stage, row in enumerate(found):
        expected = {"experience": stage + 1, "eval/stream_accuracy": result["stream_accuracy"][stage]}
        for number in (1, 2, 3):
            expected[f"eval/accuracy/0{number}"] = result["accuracy"][stage][number - 1]
            expected[f"eval/macro_f1/0{number}"] = result["macro_f1"][stage][number - 1]
        about = result["experiences"][stage]
        expected |= {f"stage/{name}": each for name, each in about.items() if isinstance(each, int)}
        expected |= {f"stage/seconds/{phase}": each for phase, each in about["seconds"].items()}
        measured = {key: value for key, value in row.items() if not key.startswith("stage/flops")}
        assert measured == pytest.approx(expected, abs=0)


def test_losses_have_one_axis_over_all_experiences(logged):
    result, _, _, read = logged
    losses = [each for each in history(read) if "train/loss" in each]
    steps = [each["train/step"] for each in losses]
    ends = [sum(each["steps"] for each in result["experiences"][: stage + 1]) for stage in range(3)]
    per_epoch = ends[0] // 2
    assert 1 < per_epoch < 10
    assert steps == list(range(per_epoch, ends[-1] + 1, per_epoch))
    assert all(each["train/loss"] > 0 for each in losses)
    assert not any("experience" in each for each in losses)


def test_the_matrix_is_a_table_and_an_image(logged):
    result, _, folder, read = logged
    assert result["accuracy"] != result["macro_f1"]
    content = table(folder)
    assert content["columns"] == ["experience trained", "experience tested", "accuracy", "macro-F1"]
    assert content["data"] == [
        [trained + 1, tested + 1, result["accuracy"][trained][tested], result["macro_f1"][trained][tested]]
        for trained in range(3)
        for tested in range(3)
    ]
    image = folder / "files" / summary(read)["matrix/image.path"]
    assert image.read_bytes().startswith(b"\x89PNG")
    assert len(image.read_bytes()) > 5000


def test_the_summary_has_all_metrics_and_costs(logged):
    result, _, _, read = logged
    found = summary(read)
    expected = {f"metrics/{name}": value for name, value in result["metrics"].items()}
    costs = copy.deepcopy(result["costs"])
    phases = costs["flops"].pop("phases")
    for phase, both in phases.items():
        expected |= {f"costs/flops/phases/{phase}/{name}": value for name, value in both.items()}
    for group, values in costs.items():
        if isinstance(values, dict):
            expected |= {f"costs/{group}/{name}": value for name, value in values.items()}
        else:
            expected[f"costs/{group}"] = values
    assert len(expected) >= 25
    assert {name: found.get(name) for name in expected} == expected
    assert found["status"] == "done"
    (ended,) = of("exit", read)
    assert ended.get("exit_code", 0) == 0


def test_the_artifact_holds_the_result_file_and_plots(logged):
    _, path, _, read = logged
    files = {each["path"]: each for each in artifact(read)["manifest"]["contents"]}
    digest = base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode()
    assert files[path.name]["digest"] == digest
    plots = {name for name in files if name != path.name}
    assert {"plots/accuracy_matrix.svg", "plots/stream_accuracy.svg"} <= plots
    assert all(name.startswith("plots/") and name.endswith(".svg") for name in plots)


def test_the_result_is_the_same_without_logging(logged, scenario, tmp_path):
    assert main(["run", *options(scenario, tmp_path)]) == 0
    without = json.loads((tmp_path / PATH).read_text())
    assert not run_folders(tmp_path)

    def timeless(result):
        costs = {
            name: each for name, each in result["costs"].items() if name in ("parameters", "carried_bytes")
        }
        stages = [{**each, "seconds": None} for each in result["experiences"]]
        return {**result, "provenance": None, "costs": costs, "experiences": stages}

    assert timeless(without) == timeless(logged[0])


def test_a_stopped_run_goes_on_as_the_same_run(scenario, tmp_path):
    def config():
        return parse_run(options(scenario, tmp_path, "--wandb", "offline"))

    def stop(stage: int, _: RunResult) -> None:
        if stage == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(prepare(config()), on_stage=stop)
    time.sleep(1.1)  # folders are named by the second
    execute(prepare(config()))
    first, second = (records(folder) for folder in run_folders(tmp_path))
    assert of("run", first)[0]["run_id"] == of("run", second)[0]["run_id"]
    assert not of("run", first)[0].get("resume", False)
    assert of("run", second)[0]["resume"]
    assert [each["experience"] for each in rows(first) + rows(second)] == [1, 2, 3]
    steps = [each["train/step"] for each in history(first) + history(second) if "train/step" in each]
    assert steps == sorted(set(steps))
    assert of("exit", first)[0]["exit_code"] == 1
    assert not [each for each in of("artifact", first) if each["type"] == "result"]


def test_a_language_model_has_its_bits_per_byte_in_the_table(tmp_path):
    run = language_run(tmp_path, "finetune", tuning="full", lr=3e-3, wandb="offline", epochs=1)
    bits = execute(run).language["bits_per_byte"]
    (folder,) = run_folders(run.config.results)
    content = table(folder)
    assert content["columns"] == ["experience trained", "experience tested", "bits per byte"]
    assert content["data"] == [
        [trained + 1, tested + 1, bits[trained][tested]] for trained in range(3) for tested in range(3)
    ]
    assert summary(records(folder))["metrics/average_bits_per_byte"] == pytest.approx(sum(bits[-1]) / 3)


def test_a_failed_run_says_so(scenario, tmp_path):
    def fail(stage: int, _: RunResult) -> None:
        if stage == 1:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        execute(prepare(parse_run(options(scenario, tmp_path, "--wandb", "offline"))), on_stage=fail)
    (folder,) = run_folders(tmp_path)
    read = records(folder)
    found = summary(read)
    assert (found["status"], found["error"]) == ("failed", "RuntimeError: no more")
    assert of("exit", read)[0]["exit_code"] == 1
    assert len(table(folder)["data"]) == 2 * 3
    assert PATH.name in {each["path"] for each in artifact(read)["manifest"]["contents"]}


@pytest.mark.parametrize("place", ["init", "log", "log_artifact", "finish"])
def test_a_fault_of_the_library_costs_one_line_and_no_result(place, scenario, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError("disk full\nand more")

    monkeypatch.setattr(wandb if place == "init" else wandb.Run, place, fail)
    # Runs that are open in one process have different ids, and that of a failed end stays open.
    seed = {"init": "1", "log": "2", "log_artifact": "3", "finish": "4"}[place]
    path = tmp_path / PATH.with_name(f"order0-seed{seed}.json")
    assert main(["run", *options(scenario, tmp_path, "--wandb", "offline", "--seed", seed)]) == 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "disk full and more" in error
    assert f"clbench wandb push {path}" in error
    assert json.loads(path.read_text())["status"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "0" * 40, "short"])
def test_without_login_or_network_a_run_is_logged_on_disk(key, scenario, tmp_path):
    line = ["run", *options(scenario, tmp_path, "--wandb", "online")]
    started = time.monotonic()
    done = alone_in_a_process(line, key)
    assert time.monotonic() - started < 60
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("clbench: warning: Weights & Biases online: ")
    assert "logging offline instead" in done.stderr
    assert json.loads((tmp_path / PATH).read_text())["status"] == "done"
    (folder,) = run_folders(tmp_path)
    assert folder.name.startswith("offline-run-")
    assert [each["experience"] for each in rows(records(folder))] == [1, 2, 3]


def test_time_for_logging_is_no_cost_of_the_method(scenario, tmp_path, monkeypatch):
    log = wandb.Run.log

    def slow(self, *arguments, **named):
        time.sleep(0.3)
        return log(self, *arguments, **named)

    monkeypatch.setattr(wandb.Run, "log", slow)
    result = execute(prepare(parse_run(options(scenario, tmp_path, "--wandb", "offline"))))
    (folder,) = run_folders(tmp_path)
    losses = sum("train/loss" in each for each in history(records(folder)))
    assert losses * 0.3 > 1.5
    assert result.costs["seconds"]["train"] < losses * 0.3 / 2
