"""Small runs by the command line, each in a fork of one process that has imported everything."""

from __future__ import annotations

import fnmatch
import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.compare_results import differences

from clbench.testing.streams import write_texts

LONGEST = 120
"""Seconds that a run may take; it takes one or two."""
LINE = "clbench: stopped; the same command continues from here\n"
METHODS = {
    "naive": ("--baseline", "finetune", "--tuning", "full"),
    "replay": ("--baseline", "replay", "--tuning", "frozen", "--baseline.capacity", "16"),
    "dkvb": (
        *("--baseline", "dkvb", "--baseline.heads", "4", "--baseline.keys", "16"),
        *("--baseline.initialization", "oracle"),
    ),
}
OPTIONS = (
    "--scenario", "mine.yaml", "--encoder", "tiny", "--max-tokens", "16", "--epochs", "20",
    "--batch-size", "8", "--threads", "1", "--precision", "float32", "--checkpoint-minutes", "1e-6",
)  # fmt: skip


def preload() -> None:
    """Imports what a run needs; a fork of this process then starts in no time."""
    for name in ("cli.run", "engine.loop", "engine.build", "tracking.live", "models.tiny"):
        importlib.import_module(f"clbench.{name}")
    sys.dont_write_bytecode = True
    for name in (
        "encodings.utf_8_sig",
        "baselines.finetune",
        "baselines.replay",
        "baselines.dkvb",
        "transformers.models.bert",
    ):
        importlib.import_module(name)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its status (negative for a signal), what it printed, and how long it took."""

    status: int
    out: str
    err: str
    seconds: float

    def problems(self, status: int, *said: str, lines: int | None = 1) -> list[str]:
        """What is not as it should be: the status, or what the only line says."""
        found = [] if self.status == status else [f"status {self.status}, not {status}: {self.err[-300:]}"]
        if lines is not None and len(self.err.splitlines()) != lines:
            found.append(f"{len(self.err.splitlines())} lines: {self.err[-300:]}")
        found += [f"'{each}' is not said: {self.err[-300:]}" for each in said if each not in self.err]
        return found


class Scene:
    """A folder with texts, a scenario, a cache and results.

    Args:
        folder: Made anew.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        write_texts(folder / "data")
        text = "kind: class\ndata: data/six\nclasses_per_experience: 2\n"
        (folder / "mine.yaml").write_text(text, encoding="utf-8")

    def words(self, method: str = "replay", *more: str, results: str = "runs") -> list[str]:
        """A command line."""
        return ["run", *OPTIONS, *METHODS.get(method, ("--baseline", method)), "--results", results, *more]

    def start(
        self,
        words: list[str],
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> int:
        """Starts a process, which calls ``before`` first; returns its id."""
        sys.stdout.flush()
        if process := os.fork():
            return process
        status = 1
        try:
            os.setsid()
            os.chdir(self.folder)
            os.environ.update({"CLBENCH_CACHE": "cache", "WANDB_MODE": "offline", **(environment or {})})
            for number, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = ["clbench", *words]
            sys.path.insert(0, "")
            before()
            sys.stdout, sys.stderr = (open(number, "w", 1, closefd=False) for number in (1, 2))  # noqa: SIM115
            from clbench.cli import main

            status = main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
        return 0

    def wait(self, process: int, began: float, longest: float = LONGEST) -> Ended:
        """Waits for a process that was started at ``began``."""
        while time.monotonic() - began < longest:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return self._ended(os.waitstatus_to_exitcode(status), time.monotonic() - began)
            time.sleep(0.005)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return self._ended(-signal.SIGALRM, longest)

    def _ended(self, status: int, seconds: float) -> Ended:
        out, err = ((self.folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
        return Ended(status, out, err, seconds)

    def run(
        self,
        words: list[str],
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> Ended:
        """Runs a command to its end."""
        began = time.monotonic()
        return self.wait(self.start(words, environment, before), began)

    def stop(self, words: list[str], when: Callable[[], bool], by: int = signal.SIGKILL) -> Ended:
        """Runs a command and sends it a signal once ``when`` is true; the seconds are those after it."""
        began, process = time.monotonic(), self.start(words)
        while time.monotonic() - began < LONGEST and not when():
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return self._ended(os.waitstatus_to_exitcode(status), 0.0)
            time.sleep(0.001)
        began = time.monotonic()
        os.kill(process, by)
        return self.wait(process, began)

    def kill_after(self, words: list[str], saves: int) -> None:
        """Runs a command, and kills it as soon as it has saved so many checkpoints."""

        def before() -> None:
            from clbench.engine.checkpoint import Checkpoints

            save, saved = Checkpoints.save, []

            def counted(checkpoints: Checkpoints, within: object = None) -> None:
                save(checkpoints, within)
                saved.append(within)
                if len(saved) == saves:
                    os.kill(os.getpid(), signal.SIGKILL)

            Checkpoints.save = counted

        assert self.run(words, before=before).status == -signal.SIGKILL

    def checkpoints(self, results: str = "runs") -> list[Path]:
        """The checkpoints below a folder, the newest one last."""
        return sorted(_below(self.folder / results, "*.safetensors"))

    def result(self, results: str = "runs") -> Path | None:
        """The result file below a folder."""
        return next(_below(self.folder / results, "order*-seed*.json"), None)

    def left(self, results: str) -> list[str]:
        """What is below a folder of results that no finished run leaves."""
        found = (self.folder / results).rglob("*")
        odd = (".safetensors", ".again")
        return [path.name for path in found if path.name.startswith(".") or path.suffix in odd]

    def unequal(self, reference: str, results: str = "runs") -> list[str]:
        """In what the results below two folders differ, and what is left beside them."""
        found = differences(self.folder / reference, self.folder / results)
        found += [] if self.result(results) else ["no result"]
        return [*found, *(f"{name} is left" for name in self.left(results))]


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    """Files below a folder while a run writes there: folders that are gone in between have none."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in fnmatch.filter(names, pattern))
