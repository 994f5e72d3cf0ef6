"""Sweeps in which processes die or are stopped: what else they do goes on, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from studies.test_sweep import experiment, write_scenario

from clbench.studies.pool import ended_by, visible_devices
from clbench.studies.worker import one_line

METHOD = """
import os, signal, sys, time
from pathlib import Path
from clbench import ContinualLearner

class Once(ContinualLearner):
    def loss(self, batch):
        tried = Path("tried")
        if not tried.exists():
            tried.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(batch)

class Always(ContinualLearner):
    def loss(self, batch):
        with open("always", "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

class Full(ContinualLearner):
    def loss(self, batch):
        raise MemoryError

class Slow(ContinualLearner):
    def loss(self, batch):
        Path(f"slow-{os.getpid()}").write_text("")
        time.sleep(600)

class Finalized:
    def __del__(self):
        time.sleep(600)

class SlowToEnd(ContinualLearner):
    def loss(self, batch):
        Path(f"slow-{os.getpid()}").write_text("")
        while True:
            Finalized()  # what is raised in it ends nothing
"""
SLOW = ("{baseline: mine.Slow, tuning: frozen}", "{baseline: mine.Slow, tuning: full}")
PROGRAM = str(Path(sys.executable).with_name("clbench"))


def sweep(folder: Path, *methods: str) -> subprocess.Popen[str]:
    """A sweep of two workers in a session of its own."""
    (folder / "mine.py").write_text(METHOD)
    path = experiment(write_scenario(folder), "e", *methods)
    return subprocess.Popen(
        [PROGRAM, "reproduce", str(path), "--workers", "2", "--results", "runs"],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def states(folder: Path) -> dict[str, str]:
    """The status of each result file, by method."""
    files = folder.rglob("order*-seed*.json")
    return {path.parent.name: json.loads(path.read_text())["status"] for path in files}


def session(leader: int) -> list[int]:
    """The processes of a session, apart from its leader."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != leader:
            try:
                state, _, _, its_session = (each / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:  # it has ended
                continue
            if int(its_session) == leader and state != "Z":
                found.append(int(each.name))
    return found


def until(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.05)


def test_a_worker_that_dies_costs_its_run_one_retry_and_no_other_run(tmp_path):
    methods = ("mine.Once", "mine.Always", "mine.Full")
    tuned = [f"{{baseline: {name}, tuning: frozen}}" for name in methods]
    started = sweep(tmp_path, *tuned, "{baseline: ncm}", "{baseline: slda}")
    out, err = started.communicate(timeout=300)
    assert started.returncode == 1, err
    done = {name for name, status in states(tmp_path / "runs").items() if status == "done"}
    assert done == {"once-frozen", "ncm", "slda"}
    assert len((tmp_path / "always").read_text()) == 2
    assert "3 run in" in out
    assert "2 failed" in out
    lines = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert len(lines) == 2
    assert "killed by signal 9 (SIGKILL), as when memory is used up, in both of two attempts" in lines[0]
    assert "out of memory (MemoryError)" in lines[1]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_sweep_that_is_stopped_ends_soon_keeps_what_is_finished_and_leaves_no_process(
    number, status, tmp_path
):
    started = sweep(tmp_path, "{baseline: ncm}", *SLOW)
    until(lambda: len(list(tmp_path.glob("slow-*"))) == 2)
    begun = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(started.pid, number)  # as a terminal does: all processes get it
    else:
        started.send_signal(number)
    _, err = started.communicate(timeout=60)
    assert time.monotonic() - begun < 5
    assert started.returncode == status
    assert err.splitlines()[-1] == "clbench: stopped; the same command continues from here"
    assert "Traceback" not in err
    until(lambda: not session(started.pid), 2)
    assert states(tmp_path / "runs")["ncm"] == "done"
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_a_worker_that_is_stopped_within_a_finalizer_ends_without_a_word(tmp_path):
    started = sweep(tmp_path, "{baseline: mine.SlowToEnd, tuning: frozen}")
    until(lambda: [*tmp_path.glob("slow-*")])
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 143
    assert err.splitlines()[-1] == "clbench: stopped; the same command continues from here"
    assert "Traceback" not in err
    until(lambda: not session(started.pid), 2)


def test_workers_end_soon_when_the_main_process_is_killed(tmp_path):
    started = sweep(tmp_path, *SLOW)
    until(lambda: len(list(tmp_path.glob("slow-*"))) == 2)
    started.kill()
    started.communicate(timeout=60)
    until(lambda: not session(started.pid), 5)


@pytest.mark.parametrize(
    ("variable", "count", "devices"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("", 0, []),
        ("5", 1, ["5"]),
        ("5, 3,GPU-1a", 3, ["5", "3", "GPU-1a"]),
        ("1,0,-1,2", 2, ["1", "0"]),  # those behind one that is invalid are not seen
    ],
)
def test_the_visible_devices_are_named_as_they_were(variable, count, devices):
    environment = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    assert visible_devices(environment, count) == devices


@pytest.mark.parametrize(("devices", "seen"), [(["4", "7"], ["4", "7", "4"]), (["4"], ["4,x"] * 3)])
def test_each_worker_sees_one_of_several_devices(devices, seen, monkeypatch):
    from clbench.studies import pool

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,x")
    monkeypatch.setattr(pool, "serve", device_seen)
    with closing(pool.Pool(3, devices)) as workers:
        for at in range(3):
            workers.start(at, None)
        found: dict[int, str] = {}
        while len(found) < 3:
            found |= {event.job: event.outcome for event in workers.events(1)}
    assert [found[at] for at in range(3)] == seen


def device_seen(connection, parent, environment):
    """In place of ``serve``: answers each job with the device that the worker sees."""
    os.environ |= environment
    while True:
        connection.recv()
        connection.send(os.environ["CUDA_VISIBLE_DEVICES"])


@pytest.mark.parametrize(
    ("code", "reason"),
    [(-9, "killed by signal 9 (SIGKILL), as when memory"), (-11, "SIGSEGV"), (3, "code 3")],
)
def test_what_ended_a_process_is_said(code, reason):
    assert reason in ended_by(code)


def test_errors_of_memory_are_said_as_such():
    class OutOfMemoryError(RuntimeError):
        """As torch has it."""

    assert one_line(OutOfMemoryError("2 GiB\nmore")) == "out of memory (OutOfMemoryError): 2 GiB"
    assert one_line(MemoryError()) == "out of memory (MemoryError)"
    assert one_line(ValueError("wrong")) == "ValueError: wrong"
