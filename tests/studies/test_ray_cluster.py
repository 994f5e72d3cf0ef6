"""What a run asks of a Ray cluster, by what its nodes have."""

import pytest
import ray

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.studies.ray_cluster import RayCluster, Share

GB = 1e9


def node(name: str, *, alive: bool = True, **resources: float) -> dict:
    address = {"NodeManagerHostname": name, "NodeManagerAddress": "10.0.0.1"}
    return {"NodeID": name, "Alive": alive, "Resources": resources, **address}


@pytest.fixture
def nodes(monkeypatch) -> list[dict]:
    found: list[dict] = [node("head", memory=8 * GB)]
    monkeypatch.setattr(ray, "nodes", lambda: found)
    return found


def run(threads: int | None = None) -> RunConfig:
    return RunConfig("a", "b.C", threads=threads)


def cluster(most: int | None = None, **share: float) -> RayCluster:
    return RayCluster(Share(**share), most, here=False)


def test_a_run_asks_for_its_threads_and_at_most_a_whole_node(nodes):
    nodes.append(node("one", CPU=4.0, memory=8 * GB))
    asked = [cluster().request(run(threads))["num_cpus"] for threads in (None, 1, 3, 8)]
    assert asked == [1, 1, 3, 4]
    assert cluster().request(run()) == {"num_cpus": 1, "num_gpus": 0, "memory": 2 * GB}


def test_a_run_asks_for_a_gpu_where_there_is_one_and_still_when_it_was_lost(nodes):
    nodes.append(node("one", CPU=4.0, memory=8 * GB))
    nodes.append(node("two", CPU=2.0, GPU=1.0, memory=8 * GB))
    shared = cluster(gpus=0.25)
    before = shared.request(run())
    assert before["num_gpus"] == 0.25
    nodes[2] = node("two", alive=False)
    assert shared.request(run()) == before
    nodes.clear()
    assert shared.request(run()) == before


def test_what_no_node_has_room_for_is_refused(nodes):
    with pytest.raises(UserError, match=r"wants 1 CPUs, 0 GPUs, 2\.0 GB of a node; there is none"):
        cluster().request(run())
    nodes += [node("one", CPU=4.0, memory=1 * GB), node("two", CPU=2.0, memory=3 * GB)]
    assert cluster(memory=3.0).request(run(2))
    with pytest.raises(UserError, match=r"wants 4 CPUs, 0 GPUs, 3\.0 GB of a node"):
        cluster(memory=3.0).request(run(4))  # neither has both


def test_a_cluster_is_given_more_runs_than_it_has_room_for_unless_their_number_is_given(nodes):
    nodes += [node("one", CPU=40.0), node("two", CPU=8.0), node("three", alive=False)]
    assert (cluster().workers, cluster().limit) == (48, 96)
    assert (cluster(5).workers, cluster(5).limit) == (5, 5)
