"""The whole path on a small folder of JSON lines and the tiny encoder, through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.in_process import without_processes

from clbench.cli import main
from clbench.core.result import RunResult
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import parse_run

CLASSES = ("acq", "crude", "earn")


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data" / "news"
    folder.mkdir(parents=True)
    for split, size in (("train", 10), ("test", 4)):
        lines = [
            json.dumps({"text": f"{label} {label} report number {at} of the {split}", "label": label})
            for label in CLASSES
            for at in range(size)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (folder.parent / "three.yaml").write_text(
        f"kind: class\ndata: news\nlabels: [{', '.join(CLASSES)}]\n"
        "protocol: {epochs: 5, batch_size: 16, max_tokens: 256, samples_per_epoch: 100}\n"
    )
    return folder.parent


def options(data: Path, results: Path, *more: str) -> list[str]:
    fixed = ["--scenario", str(data / "three.yaml"), "--encoder", "tiny", "--epochs", "1"]
    fixed += [
        "--samples-per-epoch",
        "8",
        "--batch-size",
        "4",
        "--max-tokens",
        "32",
        "--data-dir",
        str(data),
        "--results",
        str(results),
    ]
    return [*fixed, *more]


def result(results: Path, method: str) -> dict:
    return json.loads((results / "three" / "tiny" / method / "order0-seed0.json").read_text())


METHODS = {
    "finetune-full": ("finetune", "--tuning", "full"),
    "finetune-frozen": ("finetune", "--tuning", "frozen"),
    "finetune-adapter": ("finetune", "--tuning", "adapter"),
    "finetune-pfeiffer": ("finetune", "--tuning", "adapter", "--adapter-placement", "pfeiffer"),
    "finetune-lora": ("finetune", "--tuning", "lora"),
    "finetune-prompt": ("finetune", "--tuning", "prompt"),
    "finetune-frozen-single": ("finetune", "--tuning", "frozen", "--single", "true"),
    "ewc-full": ("ewc", "--tuning", "full"),
    "ewc-frozen": ("ewc", "--tuning", "frozen"),
    "ewc-adapter": ("ewc", "--tuning", "adapter"),
    "replay-full": ("replay", "--tuning", "full"),
    "replay-frozen": ("replay", "--tuning", "frozen"),
    "replay-adapter": ("replay", "--tuning", "adapter"),
}


@pytest.mark.parametrize("method", METHODS)
def test_each_method_and_tuning_writes_a_whole_result(method, data, tmp_path, capsys):
    fast = ("--lr", "0.05", "--epochs", "4")
    assert main(["run", "--baseline", *METHODS[method], *options(data, tmp_path / "runs", *fast)]) == 0
    stem, single, _ = method.partition("-single")
    content = result(tmp_path / "runs", f"{stem}-lr=0.05{single}")
    assert content["status"] == "done"
    assert [len(row) for row in content["accuracy"]] == [3] * 3
    assert content["accuracy"][0][0] == 1.0  # one class learned, and no other yet
    carried = content["costs"]["carried_bytes"]
    assert carried["total"] == sum(carried[kind] for kind in carried if kind != "total") > 0
    assert (carried["buffer"] > 0) == ("replay" in method)
    assert (carried["statistics"] > 0) == ("ewc" in method)
    assert str(tmp_path / "runs") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("baseline", "fill", "name"),
    [
        ("replay", "reservoir", "replay-frozen-capacity=9"),
        ("replay", "per-class", "replay-frozen-per-class-capacity=9"),
        ("agem", "per-experience", "agem-frozen-capacity=9"),
        ("agem", "reservoir", "agem-frozen-reservoir-capacity=9"),
    ],
)
def test_the_name_of_a_method_with_a_buffer_says_how_it_is_filled(baseline, fill, name, data, tmp_path):
    words = ["--baseline", baseline, "--baseline.fill", fill, "--baseline.capacity", "9"]
    assert main(["run", *words, "--tuning", "frozen", *options(data, tmp_path / "runs")]) == 0
    assert result(tmp_path / "runs", name)["config"]["method"] == name


def test_dkvb_carries_keys_and_values_and_is_marked_where_it_sees_the_future(data, tmp_path):
    arguments = ["--baseline", "dkvb", "--baseline.heads", "4", "--baseline.keys", "16"]
    arguments += ["--baseline.initialization", "oracle"]
    assert main(["run", *arguments, *options(data, tmp_path / "runs")]) == 0
    (folder,) = (tmp_path / "runs" / "three" / "tiny").iterdir()
    content = json.loads((folder / "order0-seed0.json").read_text())
    assert content["costs"]["carried_bytes"]["keys"] == 4 * 16 * 8 * 4  # heads x keys x size x bytes
    # Heads x keys x bytes of the columns, and of how much a row has seen.
    assert content["costs"]["carried_bytes"]["values"] == 4 * 16 * (3 + 1) * 4
    *differs, future = content["config"]["notes"]
    assert future == {"kind": "sees-future", "text": ""}
    assert {each["kind"] for each in differs} == {"deviation"}
    assert [each["text"] for each in differs[:2]] == ["padding has no weight", "keys move to means"]


def test_the_same_seed_gives_the_same_matrix_and_another_does_not(data, tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        line = ["run", "--baseline", "replay", *options(data, tmp_path / name, "--seed", seed)]
        assert main(line) == 0
    path = Path("three/tiny/replay-full/order0-seed0.json")
    first, second = (json.loads((tmp_path / name / path).read_text()) for name in "ab")
    assert first["confusion"] == second["confusion"]
    assert (tmp_path / "c" / path.with_name("order0-seed1.json")).exists()


@pytest.mark.parametrize("baseline", ["ewc", "replay", "dkvb"])
def test_a_run_that_was_stopped_goes_on_to_the_same_result(baseline, data, tmp_path):
    small = ["--baseline.heads", "4", "--baseline.keys", "16"] if baseline == "dkvb" else []

    def config(name):
        return parse_run(["--baseline", baseline, *small, *options(data, tmp_path / name)])

    whole = execute(prepare(config("whole")))

    def stop(stage: int, _: RunResult) -> None:
        if stage == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(prepare(config("stopped")), on_stage=stop)
    stages: list[int] = []
    run = prepare(config("stopped"))
    resumed = execute(run, on_stage=lambda stage, _: stages.append(stage))
    assert stages == [1, 2]
    assert resumed.to_json()["confusion"] == whole.to_json()["confusion"]
    assert list(run.path.parent.iterdir()) == [run.path]  # no checkpoint is left behind


def test_ewc_of_strength_0_is_naive_fine_tuning_bit_for_bit(data, tmp_path):
    runs = []
    for name, baseline in (("naive", ["finetune"]), ("ewc", ["ewc", "--baseline.strength", "0"])):
        run = prepare(parse_run(["--baseline", *baseline, *options(data, tmp_path / name)]))
        execute(run)
        runs.append(run.learner.network.state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_a_new_method_is_one_file(data, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from clbench.methods.learner import ContinualLearner\n"
        "from clbench.models.context import RunContext\n"
        "class Mine(ContinualLearner):\n"
        "    def __init__(self, context: RunContext, weight: float = 0.1) -> None:\n"
        "        super().__init__(context)\n"
        "        self.weight = weight\n"
        "    def loss(self, batch):\n"
        "        return super().loss(batch) + self.weight * self(batch).square().mean()\n"
    )
    config = f"scenario: {data / 'three.yaml'}\n"
    config += "baseline: mine.Mine\narguments: {weight: 0.5}\nencoder: tiny\nepochs: 1\n"
    config += f"samples_per_epoch: 4\nmax_tokens: 16\ntuning: frozen\ndata_dir: {data}\n"
    config += f"results: {tmp_path / 'runs'}\n"
    (tmp_path / "mine.yaml").write_text(config)
    program = [str(Path(sys.executable).with_name("clbench")), "run", "--config", "mine.yaml"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "runs", "mine-frozen-weight=0.5")["config"]["arguments"] == {"weight": 0.5}


def test_the_package_runs_as_the_command_does():
    for words, status in (([], 0), (["no-command"], 2)):
        programs = [str(Path(sys.executable).with_name("clbench"))], [sys.executable, "-m", "clbench"]
        one, other = (subprocess.run([*each, *words], capture_output=True, text=True) for each in programs)
        assert one.returncode == other.returncode == status
        assert (one.stdout, one.stderr) == (other.stdout, other.stderr)


def replace_line(data: Path, split: str, number: int, line: str) -> None:
    path = data / "news" / f"{split}.jsonl"
    lines = path.read_text().splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--scenario", "r8-cill", "--baseline", "ewc"], "did you mean 'r8-cil'"),
        (["--baseline", "ewcc"], "did you mean 'ewc'"),
        (["--baseline", "ewc", "--baseline.strenght", "1"], "did you mean '--baseline.strength'"),
        (["--baseline", "ewc", "--epoch", "1"], "epochs"),
        (["--baseline", "ewc", "--baseline.strength", "much"], "strength"),
        (["--baseline", "nowhere.Method"], "nowhere"),
        (["--baseline", "ewc", "--encoder", "no/such/folder"], "no/such/folder"),
        (["--scenario", "r8-cil", "--baseline", "ewc", "--data-dir", "no-such-folder"], "no-such-folder"),
        (["--baseline", "ewc", "--order", "5x"], "random:SEED or classes:SEED"),
        (["--baseline", "dkvb", "--tuning", "full"], "frozen"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(arguments, expected, data, tmp_path, capsys):
    status = main(["run", *options(data, tmp_path / "runs"), *arguments])
    error = capsys.readouterr().err
    assert status == 2
    assert expected in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{broken", "train.jsonl"),
        ('{"text": "a text without a label"}', "label"),
        ('{"text": 7, "label": "earn"}', "text"),
        ('{"text": "some text", "label": "earnn"}', "did you mean 'earn'"),
    ],
)
def test_a_bad_line_of_data_is_named(line, expected, data, tmp_path, capsys):
    replace_line(data, "train", 5, line)
    assert main(["run", "--baseline", "ewc", *options(data, tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "train.jsonl" in error
    assert "5" in error
    assert error.count("\n") == 1


def test_an_empty_split_is_named(data, tmp_path, capsys):
    (data / "news" / "test.jsonl").write_text("")
    assert main(["run", "--baseline", "ewc", *options(data, tmp_path / "runs")]) == 2
    assert "test.jsonl" in capsys.readouterr().err


def test_a_result_of_another_configuration_is_not_written_over(data, tmp_path, capsys):
    line = ["run", "--baseline", "finetune", "--tuning", "frozen", *options(data, tmp_path / "runs")]
    assert main(line) == 0
    assert main([*line, "--epochs", "3"]) == 2
    assert "another epochs" in capsys.readouterr().err
    assert main([*line, "--lr", "0.5"]) == 0  # another method, by its name
    assert {path.name for path in (tmp_path / "runs" / "three" / "tiny").iterdir()} == {
        "finetune-frozen", "finetune-frozen-lr=0.5"
    }  # fmt: skip


def test_reproduce_runs_reports_and_does_not_run_again(data, tmp_path, monkeypatch, capsys):
    experiment = tmp_path / "small.yaml"
    experiment.write_text(
        "title: small\nmethods:\n  - {baseline: finetune, tuning: frozen}\n"
        "  - {baseline: finetune, tuning: frozen, joint: true}\n"
        f"profiles:\n  quick:\n    scenarios: [{data / 'three.yaml'}]\n"
        "    options: {encoder: tiny, epochs: 1, samples_per_epoch: 4, max_tokens: 16, threads: 1}\n"
    )
    line = ["reproduce", str(experiment), "--results", str(tmp_path / "runs"), "--data-dir", str(data)]
    assert main([*line, "--workers", "2"]) == 0
    report = tmp_path / "runs" / "quick" / "report" / "small"
    assert {"table.md", "table.csv", "stream_accuracy.svg", "accuracy_cost.pdf"} <= {
        path.name for path in report.iterdir()
    }
    capsys.readouterr()
    without_processes(monkeypatch)
    assert main([*line, "--workers", "1"]) == 0
    assert "2 done before" in capsys.readouterr().out


def test_a_reader_that_is_gone_is_no_error():
    program = Path(sys.executable).with_name("clbench")
    line = f"set -o pipefail; {program} list | true"
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
