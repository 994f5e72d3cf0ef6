"""What is said before a run whose options cannot do what its method is for."""

import dataclasses

import pytest

from clbench.core.config import RunConfig
from clbench.engine.method import find_method
from clbench.engine.preflight import cautions, check_runs
from clbench.testing.streams import SCENARIOS, write_texts

CLASS = SCENARIOS["class"]


def said(scenario, name: str, **arguments) -> list[str]:
    method = find_method(name)
    return list(cautions(RunConfig(scenario.name, method.path, arguments=arguments), scenario, method))


@pytest.mark.parametrize("name", ["replay", "agem", "der", "derpp", "erace", "gdumb", "knn"])
def test_a_memory_that_is_smaller_than_the_number_of_classes_is_named(name):
    classes = len(CLASS.columns)
    (line,) = said(CLASS, name, capacity=classes - 1)
    assert f"capacity {classes - 1} of " in line
    assert f"the {classes} classes of scenario 'class'; --baseline.capacity sets it" in line
    assert said(CLASS, name, capacity=classes) == []
    assert said(CLASS, name) == []


def test_a_known_experience_of_one_class_is_named():
    labels = [(part, label) for part in CLASS.parts for label in part.labels]
    parts = tuple(dataclasses.replace(part, labels=(label,), name=label) for part, label in labels)
    alone = dataclasses.replace(CLASS, parts=parts, task_aware=True)
    (line,) = said(alone, "ncm")
    assert f"experience '{parts[0].name}' has one class: every answer on it is right" in line
    assert said(dataclasses.replace(alone, task_aware=False), "ncm") == []
    assert said(SCENARIOS["class-aware"], "ncm") == []


def test_a_sweep_says_it_once(tmp_path, monkeypatch, capsys):
    write_texts(tmp_path)
    monkeypatch.setattr("clbench.engine.preflight.find_scenario", SCENARIOS.__getitem__)
    path = find_method("replay").path
    one = RunConfig("class", path, encoder="tiny", arguments={"capacity": 1}, data_dir=tmp_path)
    runs = [dataclasses.replace(one, seed=seed, results=tmp_path / "runs") for seed in range(3)]
    check_runs(runs)
    assert capsys.readouterr().err.count("clbench: warning: capacity 1 of Replay") == 1
