"""Example texts of a scenario."""

import json

import pytest

from clbench.data.examples import CHARACTERS, example_texts

TEXTS = {
    "a": ["first of a", "second of a"],
    "b": ["x" * (CHARACTERS + 1)],
    "c": ["of\n  c"],
}


@pytest.fixture
def scenario(tmp_path):
    for split in ("train", "test"):
        lines = [json.dumps({"text": text, "label": label}) for label in TEXTS for text in TEXTS[label]]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    path = tmp_path / "letters.yaml"
    path.write_text("kind: class\ndata: .\nclasses_per_experience: [1, 2]\nprotocol: {validation_share: 0}\n")
    return path


def test_the_first_text_of_each_class_comes_first_and_long_ones_are_cut(scenario):
    texts = example_texts(str(scenario))
    assert list(texts.values()) == [
        [("a", "first of a"), ("a", "second of a")],
        [("b", "x" * CHARACTERS + "…"), ("c", "of c")],
    ]


def test_without_the_data_there_are_none(tmp_path):
    assert example_texts("r8-cil", data_dir=tmp_path) == {}
    assert example_texts("unknown-scenario") == {}
