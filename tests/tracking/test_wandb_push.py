"""Finished results sent to Weights & Biases: the same as if they had been logged live."""

import json
import shutil
import time

import pytest
import wandb
from support.in_process import without_processes
from support.wandb_files import (
    alone,
    alone_in_a_process,
    artifact,
    of,
    records,
    rows,
    run_folders,
    stream,
    summary,
    table,
)

from clbench.cli import main


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path_factory):
    alone(monkeypatch, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return stream(tmp_path_factory.mktemp("data"))


def experiment(scenario, folder):
    path = folder / "small.yaml"
    path.write_text(
        "title: small\nmethods:\n  - {baseline: finetune, tuning: frozen}\n"
        "  - {baseline: finetune, tuning: frozen, joint: true}\n"
        f"profiles:\n  quick:\n    scenarios: [{scenario}]\n    options: {{encoder: tiny, threads: 1}}\n"
    )
    return path


@pytest.fixture(scope="module")
def results(scenario, tmp_path_factory):
    """The results of an experiment of two runs, logged live: stream and joint training."""
    with pytest.MonkeyPatch.context() as patch:
        alone(patch, tmp_path_factory.getbasetemp())
        without_processes(patch)
        folder = tmp_path_factory.mktemp("live")
        line = ["reproduce", str(experiment(scenario, folder)), "--results", str(folder), "--workers", "1"]
        assert main([*line, "--data-dir", str(scenario.parent), "--wandb", "offline"]) == 0
    return folder / "quick"


def by_id(folders):
    return {folder.name.rpartition("-")[2]: folder for folder in folders}


@pytest.fixture(scope="module")
def pushed(results, tmp_path_factory):
    """By id, the folders of the live runs, and of those pushed from their files."""
    live = run_folders(results)
    with pytest.MonkeyPatch.context() as patch:
        alone(patch, tmp_path_factory.getbasetemp())
        time.sleep(1.1)  # folders are named by the second
        assert main(["wandb", "push", str(results), "--mode", "offline"]) == 0
    return by_id(live), by_id(set(run_folders(results)) - set(live))


def digests(read):
    return {each["path"]: each["digest"] for each in artifact(read)["manifest"]["contents"]}


def lasting(read):
    """The summary, without losses, wandb's own keys and those that name files."""
    mine = ("metrics/", "costs/", "eval/", "stage/", "status")
    return {key: value for key, value in summary(read).items() if key.startswith(mine)}


@pytest.mark.slow
def test_a_pushed_run_is_the_live_run_but_for_its_losses(pushed):
    live, sent = pushed
    assert len(live) == len(sent) == 2
    assert set(live) == set(sent)
    for name in live:
        first, second = records(live[name]), records(sent[name])
        (one,), (other,) = of("run", first), of("run", second)
        for key in ("run_id", "display_name", "run_group", "job_type", "tags", "project"):
            assert one[key] == other[key]
        assert one["config"]["update"] == other["config"]["update"]
        assert rows(first) == rows(second)
        assert table(live[name]) == table(sent[name])
        assert digests(first) == digests(second)
        assert lasting(first) == lasting(second)


@pytest.mark.slow
def test_runs_of_an_experiment_are_its_group_and_have_an_id_each(pushed):
    runs = [of("run", records(folder))[0] for folder in pushed[0].values()]
    assert {run["run_group"] for run in runs} == {"small-quick"}
    assert {run["job_type"] for run in runs} == {"finetune-frozen", "finetune-frozen-joint"}


@pytest.mark.slow
def test_joint_training_has_seen_all_experiences(pushed, results):
    (path,) = results.rglob("finetune-frozen-joint/*.json")
    result = json.loads(path.read_text())
    for folders in pushed:
        named = {of("run", records(each))[0]["job_type"]: each for each in folders.values()}
        folder = named["finetune-frozen-joint"]
        (row,) = rows(records(folder))
        assert row["experience"] == 3
        assert row["eval/stream_accuracy"] == result["stream_accuracy"][0]
        assert [line[:2] for line in table(folder)["data"]] == [[3, 1], [3, 2], [3, 3]]
        assert "metrics/forgetting" not in summary(records(folder))


def test_a_group_of_ones_own_is_another_run(results, tmp_path, capsys):
    line = ["wandb", "push", str(results), "--dry-run"]
    assert main([*line, "--group", "mine"]) == 0
    out = capsys.readouterr().out
    assert "mine  Fine-tuning, frozen, three, order 0, seed 0: to send" in out
    assert "2 to send, 0 not finished, 0 failed" in out


def test_what_is_not_done_is_not_sent(results, tmp_path, capsys):
    (path,) = results.rglob("finetune-frozen/*.json")
    content = {**json.loads(path.read_text()), "status": "failed", "error": "RuntimeError: no more"}
    (tmp_path / path.name).write_text(json.dumps(content))
    assert main(["wandb", "push", str(tmp_path), "--mode", "offline"]) == 0
    assert "skipped failed\n0 written, 1 not finished, 0 failed" in capsys.readouterr().out


def test_a_broken_file_is_left_out_or_refused(results, tmp_path, capsys):
    shutil.copytree(results, tmp_path / "quick")
    (broken,) = (tmp_path / "quick").rglob("finetune-frozen/*.json")
    broken.write_text("{")
    line = ["wandb", "push", str(tmp_path), "--dry-run"]
    assert main(line) == 0
    captured = capsys.readouterr()
    assert broken.name in captured.err
    assert "1 to send, 0 not finished, 0 failed" in captured.out
    assert main([*line, "--strict"]) == 2
    captured = capsys.readouterr()
    assert broken.name in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_one_that_fails_is_named_and_the_others_are_sent(results, monkeypatch, capsys):
    log_artifact = wandb.Run.log_artifact

    def fail(self, *arguments, **named):
        if self.job_type.endswith("joint"):
            raise OSError("disk full")
        return log_artifact(self, *arguments, **named)

    monkeypatch.setattr(wandb.Run, "log_artifact", fail)
    assert main(["wandb", "push", str(results), "--mode", "offline"]) == 1
    out = capsys.readouterr().out
    assert "Fine-tuning, frozen, joint, three, order 0, seed 0: failed OSError: disk full" in out
    assert "1 written, 0 not finished, 1 failed" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["push", "no-such-folder"], "no-such-folder"),
        (["push", "RESULTS", "--mode", "onlin"], "invalid choice: 'onlin'"),
        (["pusj", "RESULTS"], "did you mean 'push'"),
        (["dashboard", "no-such-folder"], "no-such-folder"),
    ],
)
def test_bad_input_is_one_line(words, expected, results, capsys):
    assert main(["wandb", *(str(results) if word == "RESULTS" else word for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert expected in error


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "0" * 40])
@pytest.mark.parametrize("action", ["push", "dashboard"])
def test_without_login_or_network_it_is_one_line(action, key, results):
    before = run_folders(results)
    line = ["wandb", action, str(results)]
    done = alone_in_a_process(line, key)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("clbench: error: Weights & Biases: ")
    assert run_folders(results) == before


@pytest.mark.slow
def test_a_sweep_without_login_says_so_once(scenario, tmp_path):
    path = experiment(scenario, tmp_path)
    line = ["reproduce", str(path), "--results", str(tmp_path), "--data-dir", str(scenario.parent)]
    line += ["--workers", "1", "--wandb", "online"]
    done = alone_in_a_process(line)
    assert done.returncode == 0
    assert done.stderr.count("clbench: warning") == 1
    assert len(run_folders(tmp_path / "quick")) == 2
