"""What a node of a Ray cluster does for a sweep. It shares no file system with the driver."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clbench.core.config import RunConfig
from clbench.core.errors import UserError, message
from clbench.core.io import remove_leftovers, temporary_folder
from clbench.engine.code_version import engine_version
from clbench.engine.preflight import check_runs
from clbench.studies.worker import Job, Message, Outcome, Send, one_line, quiet, work

Files = Mapping[str, bytes]
"""The content of files, by their path in the folder of results."""


@dataclass(frozen=True)
class Origin:
    """The process that a sweep belongs to, the driver.

    Attributes:
        words: Its command line, for the provenance of results.
        folder: Its working folder, from which relative paths start on nodes that have it.
        code: From ``engine_version``.
        here: Whether its only node is the driver's own machine, whose cache is used then.
        checked: The nodes that were found to have what the runs need, by their ids.
    """

    words: Sequence[str]
    folder: str
    code: bytes
    here: bool
    checked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Returned:
    """What a node sends back.

    Attributes:
        outcome: Of the job; its path is where the file belongs on the driver's machine.
        files: What was written.
    """

    outcome: Outcome
    files: Files


class Mailbox:
    """The newest message of each job, from all nodes: an actor beside the driver."""

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}

    def put(self, message: Message) -> None:
        """Takes a message."""
        self._messages[message.job] = message

    def take(self) -> list[Message]:
        """Gives the messages since the last call."""
        messages, self._messages = self._messages, {}
        return [*messages.values()]


def own_folder() -> Path:
    """The folder of this user on the disk of this node, in that of temporary files.

    Raises:
        UserError: It belongs to another user.
    """
    folder = Path(tempfile.gettempdir()) / f"clbench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to another user; set TMPDIR before 'ray start'")
    return folder


def enter(origin: Origin) -> None:
    """Prepares a process of a node for the work of a sweep.

    Features are encoded once per node: the cache is on its own disk, unless ``CLBENCH_CACHE`` says where.
    """
    quiet()
    sys.argv = [*origin.words]
    with suppress(OSError):  # not there: absolute paths alone work
        os.chdir(origin.folder)
    if not origin.here:
        os.environ.setdefault("CLBENCH_CACHE", str(own_folder() / "cache"))


def refusal(origin: Origin, configs: Sequence[RunConfig]) -> str | None:
    """Why this node cannot do runs, in one line; None if it can.

    Args:
        origin: The driver.
        configs: The runs.
    """
    try:
        enter(origin)
        if engine_version() != origin.code:
            return "another version of clbench, torch, numpy, lightning or transformers is installed there"
        there = Path(tempfile.gettempdir())
        check_runs(dataclasses.replace(config, results=there) for config in configs)
    except UserError as error:
        return message(error)
    return None


def do_job(at: int, job: Job, files: Files, origin: Origin, send: Send, *, checked: bool) -> Returned:
    """Does a job in a temporary folder of this node.

    Args:
        at: Its place in the sweep.
        job: What is to be done.
        files: What may be at its place already.
        origin: The driver.
        send: Takes messages.
        checked: Whether it is known that this node has what the job needs.
    """
    config = job.config
    enter(origin)
    if not checked and (reason := refusal(origin, [config])) is not None:
        return Returned(Outcome(config, None, f"node {socket.gethostname()}: {reason}"), {})
    place = own_folder() / "runs"
    place.mkdir(exist_ok=True)
    with suppress(OSError):  # another job removes them as well
        remove_leftovers(place)
    with temporary_folder(place) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        # What Ray reserves for a run that names no threads is one CPU.
        own = dataclasses.replace(config, results=folder, threads=config.threads or 1)
        outcome = work(at, dataclasses.replace(job, config=own), send)
        try:
            written = {} if outcome.path is None else _written(folder, outcome.path, files)
        except OSError as error:
            return Returned(Outcome(config, None, one_line(error)), {})
        return Returned(_at_home(outcome, folder, config), written)


def _written(folder: Path, result: Path, before: Files) -> Files:
    """The files of a folder that are new or changed, without the checkpoints of the run."""
    checkpoints = (result.with_suffix(""), result.with_suffix(".again"))
    found = {}
    for path in sorted(folder.rglob("*")):
        kept = path.is_file() and not path.is_symlink() and not {*path.parents}.intersection(checkpoints)
        if kept and (content := path.read_bytes()) != before.get(name := str(path.relative_to(folder))):
            found[name] = content
    return found


def _at_home(outcome: Outcome, folder: Path, config: RunConfig) -> Outcome:
    """An outcome with the places on the driver's machine in place of those here."""
    path, error = outcome.path, outcome.error
    return dataclasses.replace(
        outcome,
        config=config,
        path=None if path is None else config.results / path.relative_to(folder),
        error=None if error is None else error.replace(str(folder), str(config.results)),
    )
