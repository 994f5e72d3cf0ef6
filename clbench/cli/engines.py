"""Where the jobs of a sweep are done: the options of ``clbench reproduce`` for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clbench.core.arguments import Parser, word
from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.ranges import Address, Positive, Weight

if TYPE_CHECKING:
    import argparse

    from clbench.studies.executor import OpenExecutor

ENGINES = ("local", "ray")
"""Where runs are done."""


def declare(parser: Parser) -> None:
    """Adds the options."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="processes of this machine, or tasks of a Ray cluster",
    )
    cluster = parser.add_argument_group("Ray cluster")
    text = "its head node; without it, Ray is started on this machine for this command"
    cluster.add_argument("--address", type=word(Address), metavar="HOST:PORT", help=text)
    text = "GPUs of each run where the cluster has any, 1 by default; 0.25 lets four runs share one"
    cluster.add_argument("--gpus-per-run", type=word(Weight), metavar="N", help=text)
    text = "memory that each run is given room for, 2 by default"
    cluster.add_argument("--memory-per-run", type=word(Positive), metavar="GB", help=text)


def check(options: argparse.Namespace) -> None:
    """Refuses options that mean nothing, before anything runs.

    Raises:
        UserError: One of them is given.
    """
    for name in ("address", "gpus_per_run", "memory_per_run"):
        if options.engine == "local" and getattr(options, name) is not None:
            raise UserError(f"option --{name.replace('_', '-')} works with --engine ray")
    if (options.gpus_per_run or 0) > 1 and options.gpus_per_run % 1:
        raise UserError(f"option --gpus-per-run is {options.gpus_per_run}: a share of one GPU, or whole ones")


@contextmanager
def opened(
    options: argparse.Namespace, runs: Sequence[RunConfig], workers: int
) -> Iterator[tuple[OpenExecutor, int]]:
    """Where jobs are done, and how many at a time.

    Raises:
        UserError: There is no such cluster, or one of its nodes cannot do the runs.
    """
    from clbench.studies.pool import local_pool

    if options.engine == "local":
        yield local_pool, workers
        return
    from clbench.studies.ray_cluster import Share, connected

    share = Share(**{
        name: value
        for name, value in (("gpus", options.gpus_per_run), ("memory", options.memory_per_run))
        if value is not None
    })  # fmt: skip
    with connected(options.address, share, options.workers) as cluster:
        if options.address is not None:
            cluster.check(runs)
        from clbench.studies.ray_pool import RayPool

        yield lambda _: RayPool(cluster), cluster.workers
