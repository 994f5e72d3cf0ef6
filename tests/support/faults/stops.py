"""Faults of processes: signals, closed pipes, launchers, methods that fail, code that changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.faults.scene import LINE, Ended, Scene

LIMIT = 2.0
"""Seconds in which a command ends after a signal."""
LAUNCHERS = {
    "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "3", "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "x", "SLURM_NODEID": "1", "SLURM_NODELIST": "a,b",
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3",
    "MASTER_ADDR": "nowhere", "MASTER_PORT": "1", "GROUP_RANK": "1", "OMP_NUM_THREADS": "3",
}  # fmt: skip
METHOD = """
import time
import torch
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner

class Mine(ContinualLearner):
    info = MethodInfo({info})
    def __init__(self, context):
        super().__init__(context)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.step += 1
{body}
"""


def mine(scene: Scene, body: str = "", info: str = "") -> list[str]:
    """A command with a method of one's own, which has this in it."""
    (scene.folder / "mine.py").write_text(METHOD.format(info=info, body=body), encoding="utf-8")
    return scene.words("mine.Mine", "--tuning", "frozen")


def stopped(ended: Ended, status: int) -> list[str]:
    """What is wrong with a stop: the status, the only line, the seconds."""
    found = ended.problems(status)
    found += [] if ended.err == LINE else [f"it says {ended.err[-300:]!r}"]
    found += [] if ended.seconds <= LIMIT else [f"{ended.seconds:.1f} seconds"]
    return found


TRAINING = """
    def loss(self, batch):
        if self.step == 25: wait()
        return super().loss(batch)
"""
CONSOLIDATION = """
    def end_experience(self, experience, reader):
        if experience.index: wait()
"""
EVALUATION = """
    def forward(self, batch):
        if self.step > 70 and not self.training: wait()
        return super().forward(batch)
"""
CHILD = """
    def loss(self, batch):
        import subprocess
        child = subprocess.Popen(["sleep", "60"])
        open("child", "w").write(str(child.pid))
        child.wait()
"""
INFINITE = """
    def loss(self, batch):
        return super().loss(batch) / (self.step != 70)
"""
ONCE = """
    def loss(self, batch):
        import os
        if self.step == 70 and not os.path.exists("once"):
            open("once", "w").close()
            raise MemoryError("no memory")
        return super().loss(batch)
"""
AT_THE_START = """
    def begin_stream(self, reader):
        raise RuntimeError("at the start")
"""


def _signal(body: str, by: int):
    """A signal once the method has come to ``wait``, in which it sleeps or computes for long."""
    long = "\ndef wait():\n    open('there', 'w').close()\n    {}\n"
    slow = "time.sleep(60)" if by == signal.SIGINT else "torch.linalg.svd(torch.randn(3000, 3000))"

    def fault(scene: Scene) -> list[str]:
        words = mine(scene, body + long.format(slow))
        ended = scene.stop(words, lambda: (scene.folder / "there").exists(), by)
        return stopped(ended, 128 + by)

    return fault


def signal_in_imports(scene: Scene) -> list[str]:
    """SIGTERM to a new process while it imports, and Ctrl-C a little later."""
    found = []
    for by, delay in ((signal.SIGTERM, 1.0), (signal.SIGINT, 2.0)):
        command = [sys.executable, "-m", "clbench", *scene.words()]
        process = subprocess.Popen(command, cwd=scene.folder, stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        process.send_signal(by)
        began = time.monotonic()
        _, err = process.communicate()
        ended = Ended(process.returncode, "", err, time.monotonic() - began)
        found += stopped(ended, 128 + by)
    return found


def signal_in_encoding(scene: Scene) -> list[str]:
    """Ctrl-C as soon as there are locks in the cache; then the same command."""
    words = scene.words("dkvb")
    ended = scene.stop(words, lambda: any((scene.folder / "cache").rglob("*.lock")), signal.SIGINT)
    scene.run(scene.words("dkvb", results="whole"), {"CLBENCH_CACHE": "other"})
    return [*stopped(ended, 130), *scene.run(words).problems(0, lines=0), *scene.unequal("whole")]


def signal_with_children(scene: Scene) -> list[str]:
    """SIGTERM while a process that the run started is working: it ends with the run."""
    there = scene.folder / "child"
    ended = scene.stop(mine(scene, CHILD), lambda: there.exists() and there.read_text() != "", signal.SIGTERM)
    time.sleep(0.2)
    state = Path("/proc") / there.read_text() / "stat"
    running = state.exists() and ") Z" not in state.read_text()
    return [*stopped(ended, 143), *(["the child goes on"] if running else [])]


def closed_output(scene: Scene) -> list[str]:
    """Nobody reads what is printed: both streams closed, or to a full device."""
    scene.run(scene.words(results="whole"))

    def closed() -> None:
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, 1)
        os.dup2(write, 2)

    def full() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)

    found = []
    for name, before in (("closed", closed), ("full", full)):
        found += scene.run(scene.words(results=name), before=before).problems(0, lines=0)
        found += scene.unequal("whole", name)
    return found


def launchers(scene: Scene) -> list[str]:
    """Variables of SLURM, torchrun and OpenMP around the run."""
    scene.run(scene.words("naive", results="whole"))
    ended = scene.run(scene.words("naive"), LAUNCHERS)
    return [*ended.problems(0, lines=0), *scene.unequal("whole")]


def wandb_fails(scene: Scene) -> list[str]:
    """A file is in the place of W&B's folder."""
    scene.run(scene.words(results="whole"))
    (scene.folder / "runs").mkdir()
    (scene.folder / "runs" / "wandb").write_text("")
    ended = scene.run(scene.words("replay", "--wandb", "offline"))
    return [*ended.problems(0, lines=None), *scene.unequal("whole")]


def diverges(scene: Scene) -> list[str]:
    """An infinite loss in the second experience: the run has failed, and its checkpoint is kept."""
    words = mine(scene, INFINITE)
    ended = scene.run(words)
    found = ended.problems(1, "experience 2 of 3 (", "epoch 4 of 20, step 2 of 3", "became inf", lines=2)
    content = json.loads(scene.result().read_text())
    found += (
        [] if content["status"] == "failed" and "epoch 4" in content["error"] else ["not marked as failed"]
    )
    found += [] if scene.checkpoints() else ["no checkpoint is kept"]
    again = scene.run(words)
    return [*found, *again.problems(1, "epoch 4 of 20, step 2 of 3", lines=2)]


def fails_midway(scene: Scene) -> list[str]:
    """An error in the second experience, once: the same command goes on from within it."""
    words = mine(scene, ONCE)
    first = scene.run(words)
    found = [] if first.status == 1 and "no memory" in first.err else [f"status {first.status}"]
    found += [] if json.loads(scene.result().read_text())["status"] == "failed" else ["not marked as failed"]
    ended = scene.run(words)
    found += [] if ended.out.startswith("[2/3]") else [f"it does not go on: {ended.out[:60]}"]
    scene.run([*words, "--results", "whole"])
    return [*found, *ended.problems(0, lines=0), *scene.unequal("whole")]


def corrected(scene: Scene) -> list[str]:
    """A command that fails before its first experience leaves nothing behind."""
    first = scene.run(mine(scene, AT_THE_START, "reads_at_start='stream'"))
    found = [] if first.status == 1 else [f"status {first.status}"]
    found += [f"{path} is left" for path in (scene.folder / "runs").rglob("*") if path.is_file()]
    return [*found, *scene.run([*mine(scene), "--max-tokens", "12"]).problems(0, lines=0)]


def other_code(scene: Scene) -> list[str]:
    """The method changes between the stop and the same command."""
    scene.kill_after(mine(scene), 3)
    ended = scene.run(mine(scene, "    other = 1"))
    return ended.problems(0, "was stopped with another version of the code; it starts anew")


def other_data(scene: Scene) -> list[str]:
    """A text changes between the stop and the same command."""
    scene.kill_after(scene.words(), 3)
    path = scene.folder / "data" / "six" / "train.jsonl"
    path.write_text(path.read_text().replace('"text": "', '"text": "the ', 1))
    ended = scene.run(scene.words())
    scene.run(scene.words(results="whole"))
    return [*ended.problems(0, "another version of the data; it starts anew"), *scene.unequal("whole")]


def finished(scene: Scene) -> list[str]:
    """The same command after the end, then ``--again``, killed and finished."""
    found = scene.run(scene.words()).problems(0, lines=0)
    scene.run(scene.words(results="whole"))
    before = scene.result().read_bytes()
    ended = scene.run(scene.words())
    found += ended.problems(0, lines=0)
    found += [] if ended.out.startswith("this run is finished already") else ["it does not say so"]
    again = scene.words("replay", "--again")
    scene.kill_after(again, 3)
    found += [] if scene.checkpoints() else ["no checkpoint of the second run"]
    found += (
        [] if scene.result().read_bytes() == before else ["the result changed before the new one was done"]
    )
    found += scene.run(again).problems(0, lines=0)
    found += [] if scene.result().read_bytes() != before else ["the result is the old one"]
    return [*found, *scene.unequal("whole")]


def twice_at_once(scene: Scene) -> list[str]:
    """The same command in two processes at the same time."""
    scene.run(scene.words("dkvb", results="whole"))
    words, began = scene.words("dkvb"), time.monotonic()
    processes = [scene.start(words) for _ in range(2)]
    found = [each for process in processes for each in scene.wait(process, began).problems(0, lines=None)]
    return [*found, *scene.unequal("whole")]


STOPS = {
    **{
        f"{'Ctrl-C' if by == signal.SIGINT else 'SIGTERM'} in {phase}": _signal(body, by)
        for by in (signal.SIGINT, signal.SIGTERM)
        for phase, body in (
            ("training", TRAINING),
            ("consolidation", CONSOLIDATION),
            ("evaluation", EVALUATION),
        )
    },
    "signals in imports": signal_in_imports,
    "Ctrl-C in encoding": signal_in_encoding,
    "SIGTERM with a child": signal_with_children,
    "closed and full output": closed_output,
    "variables of launchers": launchers,
    "W&B fails": wandb_fails,
    "infinite loss": diverges,
    "an error midway": fails_midway,
    "an error before the first experience": corrected,
    "other code after a stop": other_code,
    "other data after a stop": other_data,
    "a finished run, and --again": finished,
    "the same command twice at once": twice_at_once,
}
