"""What scheduling costs: ``PYTHONPATH=tests python -m support.faults.scheduling [--runs N] [--ray NODES]``.

A sweep of runs that do nothing, on simulated nodes in this process, or with ``--ray`` as tasks of a real
cluster of so many nodes on this machine.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from clbench.core.config import RunConfig
from clbench.studies.display import Display
from clbench.studies.executor import Died, Done, Event, Executor
from clbench.studies.search_record import SearchRecord, Trial
from clbench.studies.sweep import do
from clbench.studies.worker import Job, Message, Outcome

SCENARIOS = ("pydocs-cil", "pydocs-dil", "clinc150-cil", "banking77-cil", "hwu64-cil")
METHODS = ("ewc", "replay", "ncm", "slda", "dkvb", "der", "lwf", "mas")
RECORD = SearchRecord(
    {
        "budget": {"trials": 1},
        "space": {},
        "by": "",
        "config": {"order": "0", "seed": 0, "split": "validation", "train_per_class": None},
    },
    trials=(Trial({"lr": 0.1}, 0.5),),
)


@dataclass(frozen=True)
class Cost:
    """What a sweep took.

    Attributes:
        seconds: Of the clock.
        processor_seconds: Of this process.
        megabytes: How much the memory of this process grew.
        failed: Jobs that failed.
        retried: Jobs that were tried again.
    """

    seconds: float
    processor_seconds: float
    megabytes: float
    failed: int
    retried: int


class SimulatedNodes:
    """Nodes on which a job takes a time of a simulated clock and does nothing.

    Args:
        folder: Where searches have their record.
        nodes: How many.
        places: Jobs at a time on each.
        loss: The probability that a run ends by the loss of its node.
        seed: Of the times and losses.
    """

    def __init__(self, folder: Path, nodes: int, places: int, loss: float = 0.0, seed: int = 0) -> None:
        self._record = folder / "search.json"
        RECORD.write(self._record)
        self._most, self._loss, self._draw = nodes * places, loss, random.Random(seed)
        self._now = 0.0
        self._ends: list[tuple[float, int, Job]] = []
        self.retried = 0

    @property
    def busy(self) -> bool:
        return bool(self._ends)

    @property
    def idle(self) -> bool:
        return len(self._ends) < self._most

    def start(self, at: int, job: Job) -> None:
        heapq.heappush(self._ends, (self._now + self._draw.uniform(50, 150), at, job))

    def events(self, timeout: float) -> Iterator[Event]:
        """What happens within the next half second of the simulated clock, or else the next end."""
        until = max(self._now + timeout, self._ends[0][0]) if self._ends else self._now
        self._now = until
        while self._ends and self._ends[0][0] <= until:
            _, at, job = heapq.heappop(self._ends)
            yield Message(at, "experience", 1, 1)
            if self._draw.random() < self._loss:
                self.retried += 1
                yield Died(at, "its node was lost", 5)
            else:
                yield Done(at, Outcome(job.config, self._record, seconds=1.0))

    def close(self) -> None:
        pass


def jobs(runs: int) -> list[Job]:
    """Runs of several methods on several scenarios, an eighth of them after a search."""
    searches = runs // 64
    found = [Job(_config(at), search=True) for at in range(searches)]
    return found + [
        Job(_config(at), after=at // 8 % searches if at % 8 == 0 and searches else None) for at in range(runs)
    ]


def _config(at: int, results: Path = Path("nowhere")) -> RunConfig:
    return RunConfig(SCENARIOS[at % 5], f"baselines.{METHODS[at % 8]}", seed=at, results=results)


def measured(executor: Executor, work: list[Job], *, show: bool = False) -> Cost:
    """Does jobs that do nothing, and says what that cost."""
    outcomes: dict[int, Outcome] = {}
    with closing(Display(work, 400, show=show)) as display:
        before, started, processor = resident(), time.perf_counter(), time.process_time()
        do(work, outcomes, executor, display)
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
    failed = sum(outcome.error is not None for outcome in outcomes.values())
    assert len(outcomes) == len(work)
    return Cost(seconds, processor, resident() - before, failed, getattr(executor, "retried", 0))


def resident() -> float:
    """The memory of this process in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def simulated(runs: int, nodes: int = 50, places: int = 8, loss: float = 0.0, *, show: bool = False) -> Cost:
    """Runs that do nothing on simulated nodes."""
    with tempfile.TemporaryDirectory() as folder:
        return measured(SimulatedNodes(Path(folder), nodes, places, loss), jobs(runs), show=show)


def on_ray(runs: int, nodes: int, places: int = 2) -> Cost:
    """Runs that do nothing as tasks of a real cluster; their outcome and messages go the usual way."""
    from clbench.studies.ray_cluster import ENVIRONMENT, Share, alone, connected

    os.environ |= {**ENVIRONMENT, **alone()}  # before Ray is imported
    from ray.cluster_utils import Cluster

    from clbench.studies import ray_pool

    options = {"include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
    for _ in range(nodes):
        cluster.add_node(num_cpus=places, **options)
    ray_pool.run_task = nothing
    try:
        with (
            connected(cluster.address, Share(memory=0.1), None) as there,
            tempfile.TemporaryDirectory() as folder,
        ):
            work = [Job(_config(at, Path(folder))) for at in range(runs)]
            measured(ray_pool.RayPool(there), work[: 4 * nodes])  # starts processes
            return measured(ray_pool.RayPool(there), work)
    finally:
        cluster.shutdown()


def nothing(at: int, job: Job, files: object, origin: object, mailbox: object) -> object:
    """In place of a run."""
    from clbench.studies.ray_node import Returned

    mailbox.put.remote(Message(at, "experience", 1, 1))
    return Returned(Outcome(job.config, None, seconds=1.0), {f"{at}/result.json": bytes(30_000)})


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--ray", type=int, metavar="NODES")
    parser.add_argument("--show", action="store_true", help="with the progress bar")
    options = parser.parse_args()
    if options.ray:
        costs = {f"{options.ray} nodes of Ray": on_ray(options.runs, options.ray)}
    else:
        costs = {
            "50 simulated nodes": simulated(options.runs, show=options.show),
            "of which each run loses one with 5%": simulated(options.runs, loss=0.05, show=options.show),
        }
    for name, cost in costs.items():
        each = 1000 * cost.processor_seconds / options.runs
        print(
            f"{name}: {options.runs} runs in {cost.seconds:.2f} s, {each:.3f} ms of processor time each, "
            f"{cost.megabytes:+.1f} MB, {cost.failed} failed, {cost.retried} tried again"
        )


if __name__ == "__main__":
    main()
