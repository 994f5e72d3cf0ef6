"""Opens runs in Weights & Biases without prompts, long waits or output."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from clbench.core.console import SafeStream
from clbench.reporting.figures.styles import family_of
from clbench.tracking import names

if TYPE_CHECKING:
    import wandb

REACH_SECONDS = 10
"""Timeout for reaching the server, and the longest wait between two attempts."""
RETRIES = 5
"""Attempts per request. With the library's own limits a process may wait 15 minutes when it ends."""
INIT_SECONDS = 30
"""Timeout for opening a run, all attempts together."""
FINISH_SECONDS = 120
"""Timeout for uploads when a run ends; the rest stays on disk for ``wandb sync``."""


def login_problem() -> str | None:
    """The reason why nothing can be uploaded, in one line; None if it can. Never prompts for a key."""
    import httpx
    import wandb

    try:
        server = wandb.setup(settings()).settings.base_url
        # Asked first: the library tries a server that is not there again and again, even after it gave up.
        with httpx.Client(timeout=REACH_SECONDS) as client:
            client.head(server)
        if wandb.login(prompt=False, verify=True):
            return None
    except httpx.HTTPError as error:
        return f"{server} cannot be reached ({one_line(error)})"
    except Exception as error:  # of the library or the server: none of them ends a run
        return one_line(error)
    return "no API key is there ('wandb login' or WANDB_API_KEY sets one)"


@dataclass(frozen=True)
class Identity:
    """What a run is in W&B, beside its configuration.

    Attributes:
        id: Of the run; a run of the same id is replaced.
        name: What is shown.
        group: What it is part of.
        job_type: What kind of run it is in its group.
        tags: To filter by.
    """

    id: str
    name: str
    group: str
    job_type: str
    tags: Sequence[str]


def open_run(
    config: Mapping[str, Any],
    group: str,
    mode: names.Mode,
    *,
    project: str,
    entity: str | None,
    folder: Path,
    go_on: bool = False,
) -> wandb.Run:
    """Opens the run of a configuration and defines its x-axes.

    Args:
        config: As in the result file.
        group: What the run is part of: see ``names.group_of``.
        mode: Whether to send it now.
        project: Where it goes.
        entity: The user or team that the project is of; None is the user's own default.
        folder: Where files wait until they are sent: in ``wandb`` there.
        go_on: Whether to add to the run of this id, where there is one, instead of replacing it.

    Raises:
        Exception: Whatever the library raises.
    """
    identity = Identity(
        id=names.run_id(config, group),
        name=names.run_name(config),
        group=group,
        job_type=config["method"],
        tags=names.tags(config),
    )
    shown = {**config, names.FAMILY: family_of(str(config["method"]))}
    run = begin(identity, shown, mode, project=project, entity=entity, folder=folder, go_on=go_on)
    for axis, metrics in names.STEPPED.items():
        run.define_metric(axis)
        for metric in metrics:
            run.define_metric(metric, step_metric=axis)
    return run


def begin(
    identity: Identity,
    config: Mapping[str, Any],
    mode: names.Mode,
    *,
    project: str,
    entity: str | None,
    folder: Path,
    go_on: bool = False,
    sweep: str | None = None,
) -> wandb.Run:
    """Opens a run of this identity.

    Args:
        identity: Of the run.
        config: Its configuration, as JSON values.
        mode: Whether to send it now.
        project: Where it goes.
        entity: The user or team that the project is of; None is the user's own default.
        folder: Where files wait until they are sent: in ``wandb`` there.
        go_on: Whether to add to the run of this id, where there is one, instead of replacing it.
        sweep: The id of the sweep that it belongs to, which the server must know.

    Raises:
        Exception: Whatever the library raises.
    """
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    chosen = settings()
    chosen.sweep_id = sweep
    return wandb.init(
        project=project,
        entity=entity,
        id=identity.id,
        name=identity.name,
        group=identity.group,
        job_type=identity.job_type,
        tags=list(identity.tags),
        config=json.loads(json.dumps(config)),  # as it comes back from the file: tuples are lists there
        mode=mode,
        dir=folder,
        resume="allow" if go_on else None,
        settings=chosen,
    )


def settings() -> wandb.Settings:
    """Settings without output, code upload and system monitoring, and with limits on all waiting."""
    import wandb

    chosen = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        reinit="create_new",  # independent of runs that the process has open elsewhere
        x_graphql_retry_max=RETRIES,
        x_graphql_retry_wait_max_seconds=REACH_SECONDS,
        x_graphql_timeout_seconds=REACH_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
    )
    if "WANDB_INIT_TIMEOUT" not in os.environ:
        chosen.init_timeout = INIT_SECONDS
    return chosen


def warn(text: str) -> None:
    """Prints one line to standard error, above progress bars."""
    tqdm.write(f"clbench: warning: {text}", file=SafeStream())


def one_line(error: BaseException) -> str:
    """An error message in one line, without a final period."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
