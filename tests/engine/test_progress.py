"""What a run prints or logs cannot fail it."""

import io
import os
import subprocess
import sys

import pytest

from clbench.core.console import SafeStream
from clbench.core.result import RunResult
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
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
