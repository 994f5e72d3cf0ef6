"""What a run prints or logs cannot fail it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clbench.cli import main
from clbench.core.console import SafeStream
from clbench.core.result import RunResult
from clbench.data.scenarios import SCENARIOS as SHIPPED
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.engine.progress import ProgressLines
from clbench.testing.streams import SCENARIOS, write_texts


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    options = {
        "scenario": "class",
        "baseline": "ncm",
        "encoder": "tiny",
        "threads": 1,
        "precision": "float32",
    }
    options |= {"data_dir": str(tmp_path / "data"), "results": str(tmp_path / "runs")}
    return prepare(run_config(options), scenario=SCENARIOS["class"])


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError("closed"), UnicodeEncodeError("ascii", "é", 0, 1, "not in range"), ValueError("odd")],
)
def test_a_report_of_a_stage_that_fails_is_a_warning_and_the_run_is_done(run, error, capsys):
    def fail(stage, result):
        raise error

    execute(run, on_stage=fail)
    assert RunResult.read(run.path).status == "done"
    assert "clbench: warning: reporting stage 3 failed" in capsys.readouterr().err


class Closed(io.StringIO):
    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def test_progress_bars_on_a_closed_pipe_do_not_fail_the_run(run, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Closed())
    execute(run, progress=True)
    assert RunResult.read(run.path).status == "done"


def test_lines_of_progress_come_every_half_minute(capsys):
    clock = [0.0]
    lines = ProgressLines(lambda: clock[0])
    told = [(0, "loading", 0, 1), (1, "encoding", 0, 80), (29, "encoding", 40, 80), (31, "encoding", 60, 80)]
    for seconds, what, done, total in told:
        clock[0] = seconds
        lines(what, done, total)
    # 60 texts in 30 seconds: 20 are left.
    assert capsys.readouterr().err == "encoding 60/80, about 10 s left\n"
    for seconds, done in ((40, 2), (50, 4), (61, 6)):
        clock[0] = seconds
        lines("epoch 1/3, step", done, 1006)
    assert capsys.readouterr().err == "epoch 1/3, step 6/1006, about 88 min left\n"


def test_a_run_without_a_terminal_says_what_it_does_and_how_well_it_does_so_far(run, capsys, monkeypatch):
    monkeypatch.setattr("clbench.engine.progress.EVERY", 0.0)
    data, results = (str(each) for each in (run.config.data_dir, run.config.results))
    words = ["--encoder", "tiny", "--data-dir", data, "--results", results, "--precision", "float32"]
    monkeypatch.setitem(SHIPPED, "class", SCENARIOS["class"])
    assert main(["run", "--scenario", "class", "--baseline", "finetune", "--tuning", "frozen", *words]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("loading texts and encoder\n")
    content = RunResult.read(next(Path(results).rglob("order0-seed0.json")))
    row = content.accuracy[1]
    line = f"accuracy so far {(row[0] + row[1]) / 2:.4f}, stream accuracy {content.stream_accuracy[1]:.4f}"
    assert line in said.out.splitlines()[1]


def test_characters_that_a_terminal_lacks_are_replaced(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    stream = SafeStream()
    stream.write("█ 50 %")
    stream.flush()
    assert raw.getvalue() == b"? 50 %"


def test_a_run_whose_output_nobody_reads_is_done(tmp_path):
    write_texts(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    command = [sys.executable, "-m", "clbench", "run", "--scenario", "mine.yaml", "--baseline", "ncm"]
    command += ["--encoder", "tiny", "--results", "runs", "--max-tokens", "16"]
    environment = os.environ | {"CLBENCH_CACHE": str(tmp_path / "cache"), "PYTHONIOENCODING": "ascii"}
    read, write = os.pipe()
    os.close(read)
    subprocess.run(command, cwd=tmp_path, env=environment, stdout=write, check=False)
    os.close(write)
    (path,) = (tmp_path / "runs").rglob("order*.json")
    assert RunResult.read(path).status == "done"
