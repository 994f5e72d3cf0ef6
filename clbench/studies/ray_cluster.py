"""A Ray cluster for sweeps: one that is there, or one of this machine alone that ends with the command."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.errors import UserError, message, shown
from clbench.engine.code_version import engine_version
from clbench.studies.ray_node import Origin, refusal

SECONDS = 5.0
"""How long a cluster has to answer."""
CHECK = 120.0
"""How long a node has to check what it needs for the runs."""
STORE = 128 * 2**20
"""Bytes of the object store of a cluster of this machine: results go through it, no data."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # what nodes print would break the progress bar
}
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How HTTP/2 begins (RFC 9113, section 3.4); a server answers with its settings, frame type 4."""


@dataclass(frozen=True)
class Share:
    """What a run is given of a node.

    Attributes:
        gpus: GPUs, or the share of one, where the cluster has any.
        memory: Memory in gigabytes. Ray counts it, and enforces nothing.
    """

    gpus: float = 1.0
    memory: float = 2.0


class RayCluster:
    """A cluster that this process is connected to.

    Args:
        share: What a run is given.
        most: The most jobs at a time; None takes what the cluster has room for, also when it grows.
        here: Whether it is of this machine alone.
    """

    def __init__(self, share: Share, most: int | None, *, here: bool) -> None:
        self.origin = Origin((*sys.argv,), str(Path.cwd()), engine_version(), here)
        self._share, self._most = share, most
        self._rooms: dict[str, tuple[float, float, float]] = {}

    @property
    def cpus(self) -> int:
        """The CPUs of all nodes."""
        return int(sum(_resource(node, "CPU") for node in self._nodes()))

    @property
    def workers(self) -> int:
        """How many jobs are done at a time, at most."""
        return self._most or max(1, self.cpus)

    @property
    def limit(self) -> int:
        """How many jobs Ray knows at a time: more than can run, to see what further nodes would do."""
        return self._most or max(16, 2 * self.cpus)

    def check(self, configs: Sequence[RunConfig]) -> None:
        """Refuses runs that a node cannot do.

        Raises:
            UserError: A node lacks a dataset or an encoder, or has another version of the code.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = ray.remote(refusal)
        asked = {}
        nodes = self._nodes()
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
            asked[node["NodeID"]] = task.options(**options).remote(self.origin, [*configs])
        names = {node["NodeID"]: _name(node) for node in nodes}
        for node_id, answer in asked.items():
            try:
                reason = ray.get(answer, timeout=CHECK)
            except ray.exceptions.GetTimeoutError:
                reason = f"no answer within {CHECK:g} seconds; look whether other work keeps it busy"
            except ray.exceptions.RayError as error:
                reason = said(error)
            if reason is not None:
                raise UserError(f"node {names[node_id]}: {reason}")
        self.origin = dataclasses.replace(self.origin, checked=frozenset(asked))

    def request(self, config: RunConfig) -> dict[str, float]:
        """What a run asks of a node, by the names that Ray has for it.

        A run with more threads than any node has CPUs takes a whole one, as it does without Ray.

        Raises:
            UserError: No node has as much.
        """
        for node in self._nodes():
            room = (_resource(node, "CPU"), _resource(node, "GPU"), _resource(node, "memory"))
            self._rooms[node["NodeID"]] = room
        rooms = [*self._rooms.values()]  # also of nodes that were lost: they may come back
        largest = max(rooms, default=(0.0, 0.0, 0.0))
        wanted = (
            min(config.threads or 1, largest[0]) or 1,
            self._share.gpus if any(gpus for _, gpus, _ in rooms) else 0,
            int(self._share.memory * 1e9),
        )
        if not any(all(has >= wants for has, wants in zip(room, wanted, strict=True)) for room in rooms):
            there = f"the largest one has {_room(*largest)}" if rooms else "there is none"
            raise UserError(f"a run wants {_room(*wanted)} of a node; {there}")
        return dict(zip(("num_cpus", "num_gpus", "memory"), wanted, strict=True))

    def _nodes(self) -> list[Mapping[str, Any]]:
        """The nodes that can do work."""
        import ray

        return [node for node in ray.nodes() if node["Alive"] and _resource(node, "CPU")]


@contextmanager
def connected(address: str | None, share: Share, most: int | None) -> Iterator[RayCluster]:
    """Connects this process to a cluster as long as the block goes on.

    Args:
        address: HOST:PORT of its head node; None starts a cluster of this machine, which listens on the
            loopback interface alone, knows a token of its own, and ends with the block.
        share: What a run is given.
        most: The most jobs at a time; of a cluster of this machine, the CPU cores by default.

    Raises:
        UserError: There is no such cluster.
    """
    if address is not None:
        _check_address(address)
    with _environment({**ENVIRONMENT, **({} if address else alone())}), _folder(address) as folder:
        import ray

        try:
            _initialize(address, folder, most)
            yield RayCluster(share, most, here=address is None)
        except KeyboardInterrupt:  # the teardown of a cluster takes longer than there is time
            if address is None:
                _kill_descendants()
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            ray.shutdown()


def alone() -> dict[str, str]:
    """Variables with which the servers of a cluster listen to this machine alone, and to this command.

    Its processes have the priority of those without Ray, which else gives them the niceness 15.
    """
    return {
        "RAY_worker_niceness": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # as there: on the loopback interface
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token_hex(32),
    }


def _initialize(address: str | None, folder: str, most: int | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            own: dict[str, Any] = {
                "object_store_memory": STORE,
                "_temp_dir": folder,
                "include_dashboard": False,
            }
            ray.init("local", num_cpus=most or os.cpu_count() or 1, **own, **quiet)
        else:
            ray.init(address, **quiet)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"Ray cluster {address or 'of this machine'}: {said(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray sets one of its own


@contextmanager
def _folder(address: str | None) -> Iterator[str]:
    """A folder for the logs and sockets of a cluster of this machine."""
    if address is not None:
        yield ""
        return
    short = "/tmp" if Path("/tmp").is_dir() else None  # paths of sockets have at most 107 bytes
    folder = tempfile.mkdtemp(prefix="clbench-ray-", dir=short)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process that Ray reads when it is imported, and when it is initialized."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _kill_descendants() -> None:
    """Kills the processes that this one started, and those that they started."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def said(error: BaseException) -> str:
    """What an error of Ray says, in one line: that of the function, where one failed on a node."""
    cause = getattr(error, "cause", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def _resource(node: Mapping[str, Any], name: str) -> float:
    return float(node["Resources"].get(name, 0.0))


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def _room(cpus: float, gpus: float, memory: float) -> str:
    return f"{cpus:g} CPUs, {gpus:g} GPUs, {memory / 1e9:.1f} GB"


def _check_address(address: str) -> None:
    """Refuses an address at which nothing answers as Ray does, which itself would wait for minutes.

    Raises:
        UserError: It is no address, or no cluster is there.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
        raise UserError(f"option --address is {shown(address)}: HOST:PORT of a Ray cluster is expected")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS) as connection:
            connection.settimeout(SECONDS)
            if os.environ.get("RAY_USE_TLS") == "1":
                return
            connection.sendall(_PREFACE)
            answer = connection.recv(9)
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address}: {error.strerror or message(error)}") from error
    if answer[3:4] != b"\x04":
        raise UserError(f"what answers at {address} is no Ray cluster: its port is in general 6379")
