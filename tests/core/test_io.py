"""Files that are written as a whole."""

import json

import pytest

from clbench.core.io import write_json


def test_json_reads_back_whatever_is_in_it_with_lists_of_values_on_one_line(tmp_path):
    value = {
        "matrix": [[0.5, 1], [None, True]],
        "hostile": ["[\n 1,\n 2\n]", "a,\n  b", "{", "]", '"[ '],
        "empty": [[], {}],
        "objects": [{"name": "x", "seconds": {"train": 1.5}, "row": [1, 2, 3]}],
    }
    path = tmp_path / "value.json"
    write_json(path, value)
    text = path.read_text()
    assert json.loads(text) == value
    assert "[0.5, 1]" in text
    assert '"row": [1, 2, 3]' in text
    assert "\n  [0.5, 1],\n" in text


def test_a_list_of_matrices_has_a_line_for_each(tmp_path):
    value = {"counts": [[[[0, 1, 2], [3, 4, 5]], []], [[], [[6, 7, 8]]]]}
    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text()
    assert json.loads(text) == value
    assert "   [[0, 1, 2], [3, 4, 5]],\n" in text


def test_numbers_that_json_does_not_have_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "value.json", [float("nan")])
    assert not list(tmp_path.iterdir())
