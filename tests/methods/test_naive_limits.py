"""Methods whose extra term has no weight are naive fine-tuning, bit for bit, over a whole stream."""

from pathlib import Path

import pytest
import torch

from baselines.agem import AGEM
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.methods.learner import ContinualLearner
from clbench.testing.streams import SCENARIOS, write_texts

NOTHING = {
    "ewc": {"strength": 0.0},
    "l2": {"strength": 0.0},
    "si": {"strength": 0.0},
    "mas": {"strength": 0.0},
    "lwf": {"strength": 0.0},
    "der": {"alpha": 0.0},
    "derpp": {"alpha": 0.0, "beta": 0.0},
}
HELD = ("ewc", "l2", "si", "mas", "lwf", "agem")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "data"
    write_texts(folder)
    return folder


def network_of(baseline: str, arguments: dict, data: Path, results: Path, monkeypatch, **more) -> dict:
    monkeypatch.setenv("CLBENCH_CACHE", str(data.parent / "cache"))
    options = {"scenario": "class", "baseline": baseline, "arguments": arguments, "encoder": "tiny"}
    options |= {"tuning": "full", "epochs": 2, "lr": 1e-3, "threads": 1, "checkpoint": False}
    options |= {"data_dir": str(data), "results": str(results), **more}
    run = prepare(run_config(options), scenario=SCENARIOS["class"])
    execute(run)
    return run.learner.network.state_dict()


@pytest.mark.parametrize("baseline", NOTHING)
def test_strength_0_is_naive_fine_tuning(baseline, data, tmp_path, monkeypatch):
    naive = network_of("finetune", {}, data, tmp_path / "a", monkeypatch)
    other = network_of(baseline, NOTHING[baseline], data, tmp_path / "b", monkeypatch)
    assert all(torch.equal(naive[name], other[name]) for name in naive)


@pytest.mark.parametrize("baseline", HELD)
def test_at_the_first_experience_there_is_nothing_to_hold_on_to(baseline, data, tmp_path, monkeypatch):
    monkeypatch.setattr(AGEM, "configure_optimizers", ContinualLearner.configure_optimizers)  # not by SGD
    naive = network_of("finetune", {}, data, tmp_path / "a", monkeypatch, experiences=1)
    other = network_of(baseline, {}, data, tmp_path / "b", monkeypatch, experiences=1)
    assert all(torch.equal(naive[name], other[name]) for name in naive)


@pytest.mark.parametrize("baseline", [*HELD, "der", "derpp"])
def test_with_its_term_it_is_not_naive_fine_tuning(baseline, data, tmp_path, monkeypatch):
    naive = network_of("finetune", {}, data, tmp_path / "a", monkeypatch)
    other = network_of(baseline, {}, data, tmp_path / "b", monkeypatch)
    assert not all(torch.equal(naive[name], other[name]) for name in naive)
