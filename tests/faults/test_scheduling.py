"""Sweeps of many runs on many nodes: what scheduling them costs, without the runs."""

import pytest
from support.faults.scheduling import simulated


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_thousand_runs_on_fifty_nodes_cost_next_to_nothing_to_schedule(loss):
    cost = simulated(1000, loss=loss)
    assert cost.failed == 0
    assert (cost.retried > 0) == (loss > 0)
    assert cost.processor_seconds < 5  # 0.02 s was measured
    assert cost.megabytes < 50
