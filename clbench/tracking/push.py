"""Sending finished results: runs that were made without network, or without a thought of logging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clbench.core.result import RunResult
from clbench.tracking import names, upload
from clbench.tracking.session import one_line, open_run


@dataclass(frozen=True)
class Pushed:
    """How sending one result ended.

    Attributes:
        path: The result file.
        name: That of its run.
        group: What the run is part of.
        where: Its address, or the folder that it waits in; None where it was not sent.
        error: One line, or None.
        skipped: Its status, where that is not done.
    """

    path: Path
    name: str
    group: str
    where: str | None = None
    error: str | None = None
    skipped: str | None = None


def push(
    files: Sequence[Path],
    mode: names.Mode,
    *,
    project: str,
    entity: str | None = None,
    group: str | None = None,
    dry: bool = False,
) -> Iterator[Pushed]:
    """Sends each finished result; a run that is there already is written anew.

    Args:
        files: Result files.
        mode: ``offline`` writes what ``wandb sync`` can send, into ``wandb`` beside the results.
        project: Where they go.
        entity: The user or team that the project is of; None is the user's own default.
        group: What they are part of; None is the experiment that each file names, or its scenario.
        dry: Send nothing.

    Raises:
        UserError: One is not a result file.
    """
    for path in files:
        result = RunResult.read(path)
        config = result.config
        its_group = group or names.group_of(config, result.provenance.get("experiment"))
        about = path, names.run_name(config), its_group
        if result.status != "done":
            yield Pushed(*about, skipped=result.status)
        elif dry:
            yield Pushed(*about)
        else:
            try:
                where = _send(result, path, its_group, mode, project, entity)
            except Exception as error:  # whatever the library raises: the other results are sent all the same
                yield Pushed(*about, error=one_line(error))
            else:
                yield Pushed(*about, where=where)


def _send(
    result: RunResult, path: Path, group: str, mode: names.Mode, project: str, entity: str | None
) -> str:
    run = open_run(result.config, group, mode, project=project, entity=entity, folder=_results_of(path))
    try:
        for stage in range(result.stages):
            upload.log_stage(run, result, stage)
        upload.log_end(run, result, path)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish(exit_code=0)
    return str(Path(run.dir).parent if mode == "offline" else run.url)


def _results_of(path: Path) -> Path:
    """The results folder of a file at ``<results>/<scenario>/<encoder>/<method>/``."""
    above = path.resolve().parents
    return above[min(3, len(above) - 1)]
