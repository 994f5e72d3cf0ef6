"""Scenarios of language models: declared ones, and folders of texts by YAML."""

import json

import pytest

from clbench.core.errors import UserError
from clbench.core.scenario import NEXT_TOKEN
from clbench.data.scenarios import SCENARIOS, find_scenario
from clbench.data.stream import load_stream, of_kind

NAMES = ("pydocs-lm", "dsc-lm", "20ng-lm")


@pytest.mark.parametrize(("name", "count"), zip(NAMES, (5, 10, 10), strict=True))
def test_declared_scenarios(name, count):
    scenario = SCENARIOS[name]
    assert (scenario.task, scenario.columns, len(scenario.parts)) == ("language-model", (NEXT_TOKEN,), count)
    assert not scenario.task_aware
    others = [each for each in SCENARIOS.values() if each.name not in NAMES]
    assert all(each.task == "classification" for each in others)


def test_published_orders_are_those_of_the_scenarios_of_classes():
    assert SCENARIOS["dsc-lm"].orders == SCENARIOS["dsc-dil"].orders
    assert SCENARIOS["20ng-lm"].orders == SCENARIOS["20ng-cil"].orders


def write(folder, **keys):
    (folder / "texts").mkdir()
    for split in ("train", "test"):
        lines = [
            json.dumps({"text": f"{split} {place} of {name}", "label": name})
            for name in ("law", "art", "tax")
            for place in range(10)
        ]
        (folder / "texts" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "mine.yaml"
    path.write_text(json.dumps({"data": "texts", "kind": "language-model", **keys}))
    return str(path)


def test_a_folder_of_texts_by_yaml(tmp_path):
    scenario = find_scenario(write(tmp_path, protocol={"train_per_class": 5}))
    stream = load_stream(scenario, scenario.protocol)
    assert [each.name for each in stream.experiences] == ["art", "law", "tax"]
    for each in stream.experiences:
        assert each.columns == (0,)
        sizes = {name: len(split) for name, split in each.splits.items()}
        assert sizes == {"train": 5, "validation": 1, "test": 10}  # the limit is one of the experience
        assert all(each.name in text for text in each.splits["train"][:]["text"])
    (joint,) = of_kind(stream, "joint").stages
    assert len(joint.experience.splits["train"]) == 15


def test_chosen_domains_in_their_order(tmp_path):
    scenario = find_scenario(write(tmp_path, labels=["tax", "art"]))
    assert [part.name for part in scenario.parts] == ["tax", "art"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task_aware": True}, "a language model is not told its domain"),
        ({"classes_per_experience": 2}, "goes with kind class"),
        ({"domains": ["law"]}, "goes with kind domain"),
    ],
)
def test_keys_that_do_not_go_with_it(tmp_path, keys, message):
    with pytest.raises(UserError, match=message):
        find_scenario(write(tmp_path, **keys))
