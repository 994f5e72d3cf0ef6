"""The jobs of a sweep as tasks of a Ray cluster. What they write comes back, and is written here."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from clbench.core.errors import UserError
from clbench.core.io import folder_name, replacing
from clbench.core.result_paths import SEARCH
from clbench.core.shared_folder import remove_unused
from clbench.data.scenarios import find_scenario
from clbench.studies.executor import Died, Done, Event
from clbench.studies.ray_cluster import RayCluster, said
from clbench.studies.ray_node import Files, Mailbox, Origin, Returned, do_job
from clbench.studies.worker import Job, Message, Outcome, one_line

LOSSES = 5
"""How often a job is tried whose node is lost each time: that seldom has to do with the job."""
EVERY = 0.5
"""The least seconds between two looks for messages."""
LONGEST = 0.1
"""The most seconds of a call of Ray, during which no signal is handled."""


class RayPool:
    """Tasks of a Ray cluster, one per job: see ``Executor``.

    Ray itself retries nothing: the sweep decides that.

    Args:
        cluster: The cluster.
    """

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self._tasks: dict[ray.ObjectRef[Returned], tuple[int, Job]] = {}
        self._refused: list[Event] = []
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._mailbox: Any = ray.remote(num_cpus=0)(Mailbox).options(scheduling_strategy=here).remote()
        self._mail: Any = None
        self._next_mail = 0.0
        self._task: Any = ray.remote(max_retries=0)(run_task)
        self._origin = ray.put(cluster.origin)

    @property
    def busy(self) -> bool:
        """Whether a job goes on."""
        return bool(self._tasks or self._refused)

    @property
    def idle(self) -> bool:
        """Whether another job can begin."""
        return len(self._tasks) < self._cluster.limit

    def start(self, at: int, job: Job) -> None:
        """Gives a job to the cluster, which begins it when a node has room.

        Args:
            at: The place of the job in the sweep.
            job: What is to be done.
        """
        try:
            task = self._task.options(**self._cluster.request(job.config))
            files = files_at(job)
        except (UserError, OSError) as error:
            self._refused.append(Done(at, Outcome(job.config, None, one_line(error))))
            return
        self._tasks[task.remote(at, job, files, self._origin, self._mailbox)] = at, job

    def events(self, timeout: float) -> Iterator[Event]:
        """What happened, waiting for it at most ``timeout`` seconds."""
        refused, self._refused = self._refused, []
        yield from refused
        if self._mail is None and time.monotonic() >= self._next_mail:
            self._mail = self._mailbox.take.remote()
        asked = [*self._tasks, *([] if self._mail is None else [self._mail])]
        timeout = 0.0 if refused or not self._tasks else min(timeout, LONGEST)
        if ray.wait(asked, timeout=timeout)[0]:
            for each in ray.wait(asked, num_returns=len(asked), timeout=0)[0]:
                if each is self._mail:
                    yield from self._messages()
                else:
                    yield self._ended(each)

    def close(self) -> None:
        """Ends the tasks, whatever they do, where they do not end with the cluster."""
        if self._cluster.origin.here:
            return
        for task in self._tasks:
            with suppress(RayError):
                ray.cancel(task, force=True)
        with suppress(RayError):
            ray.kill(self._mailbox)

    def _messages(self) -> Iterator[Message]:
        mail, self._mail, self._next_mail = self._mail, None, time.monotonic() + EVERY
        going_on = {at for at, _ in self._tasks.values()}
        try:
            yield from (message for message in ray.get(mail) if message.job in going_on)
        except RayError:  # of the mailbox: runs are worth more than what is shown of them
            self._next_mail = math.inf

    def _ended(self, task: ray.ObjectRef[Returned]) -> Event:
        at, job = self._tasks.pop(task)
        try:
            returned = ray.get(task)
            write(returned, job)
            return Done(at, returned.outcome)
        except (NodeDiedError, ObjectLostError):
            return Died(at, "its node was lost", LOSSES)
        except OutOfMemoryError:
            return Died(at, "its process was killed, as the memory of its node was used up")
        except WorkerCrashedError:
            return Died(at, "its process on a node died, as when memory is used up")
        except RayError as error:
            return Done(at, Outcome(job.config, None, said(error)))
        except OSError as error:
            return Done(at, Outcome(job.config, None, one_line(error)))


def run_task(at: int, job: Job, files: Files, origin: Origin, mailbox: Any) -> Returned:
    """Does a job, as a task; messages go to the mailbox."""
    checked = origin.here or ray.get_runtime_context().get_node_id() in origin.checked
    return do_job(at, job, files, origin, mailbox.put.remote, checked=checked)


def files_at(job: Job) -> Files:
    """What the place of a job may hold already, with which it is skipped or refused as on this machine.

    That are the files of its method on its scenario, with its order and seed, and those that cannot be read.
    """
    config = job.config
    run = f"order{config.order.replace(':', '-')}-seed{config.seed}.json"
    name = SEARCH if job.search else run
    folder = config.results / _scenario_folder(config.scenario)
    found = {}
    for path in sorted(path for ending in ("", ".xz") for path in folder.glob(f"*/*/{name}{ending}")):
        content = path.read_bytes()
        if _baseline(content) in (None, config.baseline):
            found[str(path.relative_to(config.results))] = content
    return found


@cache
def _scenario_folder(scenario: str) -> str:
    return folder_name(find_scenario(scenario).name)


def _baseline(content: bytes) -> str | None:
    """The method that a result or the record of a search is of; None if the file is damaged."""
    try:
        fields = json.loads(content)
        return str(fields.get("about", fields)["config"]["baseline"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def write(returned: Returned, job: Job) -> None:
    """Writes what a node sent back below the folder of results, each file atomically.

    Checkpoints of a run that was stopped on this machine are removed when it is done.

    Raises:
        OSError: It cannot be written.
    """
    for name, content in returned.files.items():
        with replacing(job.config.results / name) as temporary:
            temporary.write_bytes(content)
    outcome = returned.outcome
    if outcome.path is not None and outcome.error is None and not job.search:
        remove_unused(outcome.path.with_suffix(""))
