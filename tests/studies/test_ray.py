"""Sweeps on a Ray cluster: results of a local one, also where nodes are lost, and nothing stays behind."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from ray._private.authentication_test_utils import reset_auth_token_state
from ray._private.node import Node
from ray.cluster_utils import Cluster
from studies.test_sweep import DKVB, REPLAY, experiment, outcomes, write_scenario
from studies.test_sweep_faults import PROGRAM, session, states, until
from support.in_process import without_processes

from clbench.cli import main
from clbench.core.config import RunConfig
from clbench.studies import ray_cluster
from clbench.studies.display import Display
from clbench.studies.ray_node import Origin, Returned
from clbench.studies.sweep import do
from clbench.studies.worker import Job, Outcome

pytestmark = pytest.mark.slow

METHOD = """
import os, time
from pathlib import Path
from clbench import ContinualLearner

def began(name):
    import ray
    place = Path(f"{name}-{ray.get_runtime_context().get_node_id()}-{os.getpid()}")
    place.write_text("")

class Waits(ContinualLearner):
    def loss(self, batch):
        if not Path("go").exists():
            began("waits")
        while not Path("go").exists():
            time.sleep(0.1)
        return super().loss(batch)

class WaitsToo(Waits):
    pass

class Slow(ContinualLearner):
    def loss(self, batch):
        began("slow")
        time.sleep(600)
"""
LIMITS = "{encoder: tiny, threads: 1, epochs: 1}"


class Nodes:
    """A head node that does no work, and two nodes of one CPU, each with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **self._options("head")})
        self.workers = [self.add("first"), self.add("second")]

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self, name: str) -> Node:
        return self.cluster.add_node(num_cpus=1, memory=4 * 10**9, **self._options(name))

    def cache(self, name: str) -> Path:
        return self._folder / name

    def lose(self, node_id: str) -> None:
        (node,) = (each for each in self.workers if each.unique_id == node_id or each.node_id == node_id)
        self.workers.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)

    def _options(self, name: str) -> dict:
        return {"env_vars": {"CLBENCH_CACHE": str(self.cache(name))}, "include_dashboard": False}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory) -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ray_cluster.ENVIRONMENT, **ray_cluster.alone()}.items():
            patch.setenv(name, value)
        patch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
        reset_auth_token_state()
        made = Nodes(tmp_path_factory.mktemp("caches"))
        yield made
        made.cluster.shutdown()
    reset_auth_token_state()


@pytest.fixture
def other_nodes(nodes, tmp_path_factory) -> Iterator[Nodes]:
    """Those of a cluster that may lose one: other tests, in whatever order, want both."""
    made = Nodes(tmp_path_factory.mktemp("caches"))
    yield made
    made.cluster.shutdown()


def line(experiments: Path | str, results: Path, *words: str) -> list[str]:
    return ["reproduce", *str(experiments).split(), "--results", str(results), *words]


def commands(folder: Path) -> set[str]:
    """The commands in the provenance of result files."""
    return {json.loads(path.read_text())["provenance"]["command"] for path in folder.rglob("order*.json")}


def searches(folder: Path) -> dict[str, dict]:
    """Every record of a search, without times and provenance."""
    found = {}
    for path in folder.rglob("search.json"):
        content = json.loads(path.read_text())
        trials = [{**trial, "seconds": None} for trial in content["trials"]]
        found[str(path.relative_to(folder))] = {**content, "provenance": None, "trials": trials}
    return found


def test_a_cluster_gives_the_results_of_this_machine(nodes, tmp_path, monkeypatch, capsys):
    scenario = write_scenario(tmp_path)
    first = experiment(
        scenario, "first", DKVB, REPLAY, "{baseline: slda}", "{baseline: dkvb, arguments: {heads: 5}}"
    )
    tuned = experiment(scenario, "tuned", "{baseline: finetune, tuning: frozen}")
    tuned.write_text(tuned.read_text() + "    tune: {trials: 2, experiences: 2}\n")
    local, ray = tmp_path / "local", tmp_path / "ray"
    shown = {}
    for results, words in ((ray, ["--engine", "ray", "--address", nodes.address]), (local, [])):
        if not words:
            without_processes(monkeypatch)
        assert main(line(f"{first} {tuned}", results, *words)) == 1
        captured = capsys.readouterr()
        shown[results] = captured.out + captured.err
    assert len(outcomes(ray)) == 4
    assert outcomes(ray) == outcomes(local)
    assert len(searches(ray)) == 1
    assert searches(ray) == searches(local)
    for text in shown.values():
        assert "3 run in" in text
        assert "DKVB: UserError: heads 5: not a divisor of the hidden size 32" in text
    assert commands(ray) == commands(local)
    encoded = [nodes.cache(name) / "features-4" for name in ("first", "second")]
    assert any(folder.is_dir() for folder in encoded)
    assert not nodes.cache("head").exists()
    assert main(line(f"{first} {tuned}", ray, "--engine", "ray", "--address", nodes.address)) == 1
    assert "0 run in" in capsys.readouterr().out


def test_a_node_without_the_data_is_named_before_anything_runs(nodes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(  # as on a machine of its own, where the driver's folder is not there
        ray_cluster, "Origin", lambda words, folder, code, here: Origin(words, "/nowhere", code, here)
    )
    path = experiment(Path("banking77-cil"), "e", "{baseline: ncm}")
    Path("here/banking77").mkdir(parents=True)
    words = ["--engine", "ray", "--address", nodes.address, "--data-dir", "here"]
    assert main(line(path, tmp_path / "runs", *words)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    host = socket.gethostname()
    assert error.startswith(f"clbench: error: node {host} (127.0.0.1): data folder here does not exist; ")
    assert not (tmp_path / "runs").exists()


def test_a_node_with_other_code_is_named(nodes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_cluster, "engine_version", lambda: b"another")
    path = experiment(write_scenario(tmp_path), "e", "{baseline: ncm}")
    assert main(line(path, tmp_path / "runs", "--engine", "ray", "--address", nodes.address)) == 2
    assert "(127.0.0.1): another version of clbench, torch, " in capsys.readouterr().err


def test_a_node_that_does_not_answer_is_named(nodes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_cluster, "CHECK", 0.001)
    path = experiment(write_scenario(tmp_path), "e", "{baseline: ncm}")
    assert main(line(path, tmp_path / "runs", "--engine", "ray", "--address", nodes.address)) == 2
    assert "(127.0.0.1): no answer within 0.001 seconds; " in capsys.readouterr().err


def test_what_no_node_has_room_for_fails_in_one_line(nodes, tmp_path, capsys):
    path = experiment(write_scenario(tmp_path), "e", "{baseline: ncm}")
    words = ["--engine", "ray", "--address", nodes.address, "--memory-per-run", "5"]
    assert main(line(path, tmp_path / "runs", *words)) == 1
    error = capsys.readouterr().err
    room = "a run wants 1 CPUs, 0 GPUs, 5.0 GB of a node; the largest one has 1 CPUs, 0 GPUs, 4.0 GB"
    assert room in error


def test_runs_survive_the_loss_of_a_node(other_nodes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(METHOD)
    methods = ("mine.Waits", "mine.WaitsToo")
    path = experiment(
        write_scenario(tmp_path), "e", *(f"{{baseline: {name}, tuning: frozen}}" for name in methods)
    )

    def lose_one() -> None:
        try:
            until(lambda: len(list(tmp_path.glob("waits-*"))) == 2)
            other_nodes.lose(next(tmp_path.glob("waits-*")).name.split("-")[1])
        finally:  # else the runs wait for ever
            (tmp_path / "go").write_text("")

    with ThreadPoolExecutor() as threads:
        lost = threads.submit(lose_one)
        status = main(line(path, tmp_path / "runs", "--engine", "ray", "--address", other_nodes.address))
        lost.result()
    captured = capsys.readouterr()
    assert status == 0, captured.err
    assert len(other_nodes.workers) == 1
    assert "2 run in" in captured.out
    assert states(tmp_path / "runs") == {"waits-frozen": "done", "waitstoo-frozen": "done"}


def test_a_process_that_ends_costs_its_run_one_retry_and_no_other_run(nodes, tmp_path, monkeypatch):
    from clbench.studies import ray_pool

    def ends_its_process(at: int, job: Job, *_: object) -> Returned:  # here: nodes import no tests
        if job.config.seed % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return Returned(Outcome(job.config, None, seconds=1.0), {"made.json": b"1"})

    monkeypatch.setattr(ray_pool, "run_task", ends_its_process)
    work = [Job(RunConfig("a", "b.C", seed=seed, results=tmp_path / str(seed))) for seed in range(4)]
    outcomes: dict[int, Outcome] = {}
    with ray_cluster.connected(nodes.address, ray_cluster.Share(memory=0.1), None) as cluster:
        monkeypatch.setattr(ray_pool, "files_at", lambda job: {})
        with closing(ray_pool.RayPool(cluster)) as pool, closing(Display(work, 2, show=False)) as display:
            do(work, outcomes, pool, display)
    died = "its process on a node died, as when memory is used up, in both of two attempts"
    assert [outcomes[at].error for at in range(4)] == [None, died, None, died]
    assert [path.parent.name for path in sorted(tmp_path.glob("*/made.json"))] == ["0", "2"]


def test_a_command_that_is_stopped_ends_its_tasks_and_not_the_cluster(nodes, tmp_path):
    started = sweep(tmp_path, "--address", nodes.address)
    worker = stopped(started, tmp_path)
    until(lambda: not (Path("/proc") / worker).exists(), 5)
    assert not session(started.pid)
    assert all(node.remaining_processes_alive() for node in nodes.workers)


def test_ray_of_this_machine_is_for_this_command_alone_and_ends_with_it(tmp_path):
    before = {*Path("/tmp").glob("clbench-ray-*")}
    started = sweep(tmp_path, "--workers", "2")
    until(lambda: [*tmp_path.glob("slow-*")])
    addresses = listening({started.pid, *session(started.pid)})
    assert addresses == {"127.0.0.1"}
    (slow,) = tmp_path.glob("slow-*")
    assert os.nice(0) == os.getpriority(os.PRIO_PROCESS, int(slow.name.rpartition("-")[2]))
    stopped(started, tmp_path)
    until(lambda: not session(started.pid), 2)
    assert {*Path("/tmp").glob("clbench-ray-*")} <= before


def sweep(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A run that ends at once and one that goes on, in a session of their own."""
    (folder / "mine.py").write_text(METHOD)
    methods = ("{baseline: ncm}", "{baseline: mine.Slow, tuning: frozen}")
    path = experiment(write_scenario(folder), "e", *methods)
    return subprocess.Popen(
        [PROGRAM, *line(path, Path("runs"), "--engine", "ray", *words)],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def stopped(started: subprocess.Popen[str], folder: Path) -> str:
    """Sends Ctrl-C when one run is done and the other goes on; returns the process of the latter."""
    until(lambda: [*folder.glob("slow-*")] and states(folder / "runs").get("ncm") == "done")
    begun = time.monotonic()
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: all processes get it
    _, err = started.communicate(timeout=60)
    assert time.monotonic() - begun < 5
    assert started.returncode == 130
    assert err.splitlines()[-1] == "clbench: stopped; the same command continues from here"
    assert "Traceback" not in err
    assert list(states(folder / "runs")) == ["ncm"]
    (slow,) = folder.glob("slow-*")
    return slow.name.rpartition("-")[2]


def listening(processes: set[int]) -> set[str]:
    """The addresses at which processes listen."""
    sockets = set()
    for process in processes:
        for each in (Path("/proc") / str(process) / "fd").iterdir():
            try:
                sockets.add(str(each.readlink()))
            except OSError:  # closed since
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for row in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                raw = bytes.fromhex(fields[1].partition(":")[0])[-4:]
                found.add(socket.inet_ntoa(raw[::-1]))
    return found


@pytest.fixture
def other_server() -> Iterator[str]:
    """A server that is no Ray: it answers as HTTP/1.1 does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_cluster_that_is_not_there_is_one_line_within_seconds(other_server, tmp_path, capsys):
    path = experiment(write_scenario(tmp_path), "e", "{baseline: ncm}")
    for address, message in (
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: Connection refused"),
        (other_server, f"what answers at {other_server} is no Ray cluster: its port is in general 6379"),
        (
            "ray://host:10001",
            "argument --address: 'ray://host:10001': must be HOST:PORT, such as head:6379",
        ),
    ):
        begun = time.monotonic()
        assert main(line(path, tmp_path / "runs", "--engine", "ray", "--address", address)) == 2
        assert time.monotonic() - begun < 5
        assert capsys.readouterr().err == f"clbench: error: {message}\n"
    assert not (tmp_path / "runs").exists()


def test_options_of_a_cluster_are_refused_without_one(tmp_path, capsys):
    path = experiment(write_scenario(tmp_path), "e", "{baseline: ncm}")
    assert main(line(path, tmp_path / "runs", "--address", "host:6379")) == 2
    assert "option --address works with --engine ray" in capsys.readouterr().err
    assert main(line(path, tmp_path / "runs", "--engine", "ray", "--gpus-per-run", "1.5")) == 2
    assert "--gpus-per-run is 1.5: a share of one GPU, or whole ones" in capsys.readouterr().err
