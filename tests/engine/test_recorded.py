"""Finished runs are found without preparing them, and only while nothing that they depend on has changed."""

import dataclasses
import json

import pytest

from clbench.engine.build import prepare
from clbench.engine.earlier import finished
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.engine.recorded import Recorded
from clbench.engine.shared import Shared
from clbench.testing.streams import write_texts


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    scenario = tmp_path / "six.yaml"
    scenario.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    options = {"scenario": str(scenario), "baseline": "ranpac", "encoder": "tiny", "threads": 1}
    return run_config({**options, "results": str(tmp_path / "runs"), "arguments": {"dimensions": 32}})


def found(config):
    return Recorded(Shared()).find(config)


def test_a_finished_run_is_found_as_the_run_itself_finds_it(config):
    assert found(config) is None
    run = prepare(config)
    execute(run)
    record = found(config)
    assert record is not None
    assert record.done
    assert record.path == run.path
    assert record.result.to_json() == run.result.to_json() | {
        "config": json.loads(json.dumps(run.result.config))
    }


@pytest.mark.parametrize(
    "change",
    [{"lr": 0.5}, {"epochs": 3}, {"seed": 1}, {"order": "random:3"}, {"joint": True}, {"train_per_class": 2},
     {"weight_decay": 0.5}, {"arguments": {"dimensions": 16}}, {"split": "validation"}],
)  # fmt: skip
def test_another_configuration_is_another_run(config, change):
    execute(prepare(config))
    other = dataclasses.replace(config, **change)
    assert not finished(prepare(other))
    assert found(other) is None


def test_changed_texts_are_noticed(config, tmp_path):
    execute(prepare(config))
    path = tmp_path / "data" / "six" / "train.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    record = found(config)
    assert record is not None
    assert not record.done
    assert not finished(prepare(config))


def test_another_fingerprint_of_the_weights_is_noticed(config):
    run = prepare(config)
    execute(run)
    content = json.loads(run.path.read_text())
    content["provenance"]["fingerprints"]["encoder"] = "0" * 64
    run.path.write_text(json.dumps(content))
    record = found(config)
    assert record is not None
    assert not record.done


def test_a_run_with_shared_parts_is_that_of_its_own_process(config):
    alone = execute(prepare(config))
    shared = Shared()
    for seed in (1, 0):
        run = prepare(dataclasses.replace(config, seed=seed), shared=shared)
        again = execute(run, replace=True)
    assert again.confusion == alone.confusion
    assert run.encoder is shared.encoder(config)
