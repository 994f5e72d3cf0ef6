"""Result files: what is computed when a stage is added, and what comes back from a file."""

import json

import numpy as np
import pytest

from clbench.core import notes, result_schema
from clbench.core.errors import UserError
from clbench.core.notes import Note
from clbench.core.result import RunResult

CONFIG = {
    "scenario": "alpha",
    "encoder": "tiny",
    "method": "ewc",
    "order": "0",
    "seed": 0,
    "columns": ["a", "b"],
    "stream": "sequential",
    "task_aware": True,
    "notes": [{"kind": "sees-future", "text": ""}, {"kind": "deviation", "text": "fewer texts"}],
}
UNTRAINED = np.array([[[1, 1], [0, 0]], [[0, 0], [2, 2]]])
STAGES = [np.array([[[2, 0], [0, 0]], [[0, 0], [4, 0]]]), np.array([[[1, 1], [0, 0]], [[0, 0], [1, 3]]])]


@pytest.fixture
def result():
    made = RunResult(dict(CONFIG), {"commit": "c0ffee"})
    made.set_untrained(UNTRAINED)
    for counts in STAGES:
        made.add_stage(counts)
    return made


def test_what_follows_from_the_counts_is_computed_when_a_stage_is_added(result):
    assert result.untrained_accuracy == [0.5, 0.5]
    assert result.accuracy == [[1.0, 0.0], [0.5, 0.75]]
    assert result.macro_f1[0] == [1.0, 0.0]
    assert result.macro_f1[1] == pytest.approx([1 / 3, 3 / 7])
    assert result.stream_accuracy == pytest.approx([2 / 6, 4 / 6])
    assert result.metrics["average_accuracy"] == 0.625
    assert result.metrics["forgetting"] == 0.5
    assert result.metrics["fwt"] == -0.5
    assert result.metrics["macro_f1"] == pytest.approx((1 / 3 + 3 / 7) / 2)


def test_the_macro_f1_of_a_single_head_stream_is_that_of_the_union_of_test_sets():
    result = RunResult({**CONFIG, "task_aware": False}, {})
    result.set_untrained(UNTRAINED)
    for counts in STAGES:
        result.add_stage(counts)
    # [[1, 1], [1, 3]]: 2 / (2 + 2) and 6 / (4 + 4)
    assert result.metrics["macro_f1"] == pytest.approx((0.5 + 0.75) / 2)
    assert result.macro_f1[1] == pytest.approx([1 / 3, 3 / 7])


def test_the_metrics_of_an_unfinished_stream_are_none(result):
    begun = RunResult(dict(CONFIG), {})
    begun.set_untrained(UNTRAINED)
    begun.add_stage(STAGES[0])
    assert set(begun.metrics.values()) == {None}
    assert begun.metrics.keys() == result.metrics.keys()


def test_joint_training_has_metrics_after_its_one_stage():
    joint = RunResult({**CONFIG, "stream": "joint"}, {})
    joint.set_untrained(UNTRAINED)
    joint.add_stage(STAGES[1])
    assert joint.metrics["average_accuracy"] == 0.625
    assert joint.metrics["forgetting"] is None


def test_the_counts_of_a_stage_come_back_dense(result):
    assert np.array_equal(result.counts(None), UNTRAINED)
    for stage, counts in enumerate(STAGES):
        assert np.array_equal(result.counts(stage), counts)
    assert np.array_equal(result.counts(-1), STAGES[-1])
    assert result.confusion[0] == [[[0, 0, 2]], [[1, 0, 4]]]


@pytest.mark.parametrize(
    ("cells", "stage"), [(None, None), ([[[[0, 0, 2]], [[1, 9, 4]]]], 0), ([[[[0, 0]], []]], 0), ([], 0)]
)
def test_counts_that_are_missing_or_invalid_are_refused(result, cells, stage):
    if stage is None:
        result.untrained_confusion = cells
    else:
        result.confusion = cells
    with pytest.raises(UserError, match="confusion has no valid counts"):
        result.counts(stage)


def test_a_result_comes_back_from_its_file(result, tmp_path):
    path = tmp_path / "order0-seed0.json"
    result.status = "done"
    result.costs = {"seconds": {"train": 1.5}, "wall_seconds": 3.0}
    result.experiences = [{"name": "one"}, {"name": "two"}]
    result.diagnostics = {"experiences": [{"name": "one"}]}
    result.write(path)
    assert result.path == path
    assert RunResult.read(path) == result
    content = json.loads(path.read_text())
    assert content["schema"] == result_schema.SCHEMA
    assert "path" not in content
    assert "error" not in content


def test_the_error_of_a_failed_run_is_in_its_file(result, tmp_path):
    result.status, result.error = "failed", "ValueError: no"
    result.write(tmp_path / "a.json")
    assert RunResult.read(tmp_path / "a.json").error == "ValueError: no"


def test_notes_are_objects(result):
    assert result.notes == (Note("sees-future"), Note("deviation", "fewer texts"))
    assert [str(note) for note in result.notes] == ["sees-future", "deviation: fewer texts"]
    assert notes.NOTE_KINDS == ("sees-future", "deviation", "upper-bound", "task-id-oracle", "remark")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"notes": ["future"]}, "config.notes is not a list of objects"),
        (
            {"notes": [{"kind": "differs"}]},
            "config.notes.kind is 'differs', not one of sees-future, deviation",
        ),
        ({"notes": [{"kind": "remark", "text": 1}]}, "config.notes.text is not a text"),
        ({"notes": [{"kind": "remark", "by": "me"}]}, "'by' besides kind and text"),
        ({"stream": "all"}, "config.stream is 'all', not one of sequential, joint, single"),
        ({"stream": None}, "config.stream is missing"),
    ],
)
def test_an_invalid_configuration_is_refused(result, tmp_path, config, reason):
    result.config |= config
    path = tmp_path / "a.json"
    result.write(path)
    with pytest.raises(UserError, match=reason) as caught:
        RunResult.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("accuracy", f"[[{10**400}, 0], [0, 0]]", "accuracy is not a finite number"),
        ("stream_accuracy", "[1e999, 0]", "stream_accuracy is not a finite number"),
        ("accuracy", "[[1.5, 0], [0, 0]]", "accuracy is 1.5, not between 0 and 1"),
        ("macro_f1", "[[-0.5, 0], [0, 0]]", "macro_f1 is -0.5, not between 0 and 1"),
        ("accuracy", "[[1, 0], [0]]", "differ in length"),
        ("accuracy", "[[NaN, 0], [0, 0]]", "NaN is not a number"),
        ("metrics", f'{{"bwt": -{10**400}}}', "metrics.bwt is not a finite number"),
        ("costs", '{"seconds": {"train": 1e999}}', "costs.seconds.train is not a finite number"),
        ("costs", '{"seconds": {"train": {}}}', "costs.seconds.train is not a number"),
        ("costs", '{"wall_seconds": "long"}', "costs.wall_seconds is not a number"),
        ("costs", '{"flops": {"phases": {"train": {"spent": "all"}}}}', "phases.train.spent is not a number"),
        ("experiences", f'[{{"examples": {10**400}}}]', "experiences.examples is not a finite number"),
        ("diagnostics", '{"scale": 1e999}', "diagnostics.scale is not a finite number"),
        ("diagnostics", '{"a":' * 200 + "1" + "}" * 200, "nested deeper than 20 levels"),
        ("provenance", '{"commit": "\\ud800"}', "provenance.commit' has text that is not valid Unicode"),
        ("confusion", "[[[[0, 0, 1]], [[0, 0, 1]]]]", "confusion and accuracy differ in their number"),
        ("confusion", "[[[[0, 0, 1]]], [[[0, 0, 1]]]]", "confusion has not one list of counts for each exp"),
        ("confusion", "[[[[0, 2, 1]], [[0, 0, 1]]], [[], []]]", "confusion has a column beyond the 2 of"),
        ("confusion", "[[[[0, 0]], [[0, 0, 1]]], [[], []]]", "confusion is not lists of .true, predicted"),
        ("untrained_confusion", "[[[0, 0, 0.5]], [[0, 0, 1]]]", "untrained_confusion is not lists of"),
    ],
)
def test_an_invalid_value_is_refused_in_one_line(result, tmp_path, key, text, reason):
    path = tmp_path / "a.json"
    content = json.dumps({**result.to_json(), key: "@"})
    path.write_text(content.replace('"@"', text))
    with pytest.raises(UserError, match=reason) as caught:
        RunResult.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_null_in_notes_is_the_same_as_absent(result):
    result.config["notes"] = [{"kind": "deviation", "text": None}, {"kind": "sees-future"}]
    assert result.notes == (Note("deviation"), Note("sees-future"))
    result.config["notes"] = None
    assert result.notes == ()


@pytest.mark.parametrize("value", [1, 0, "no", []])
def test_schema_1_says_joint_by_true_or_false(value):
    with pytest.raises(ValueError, match=r"config\.joint is not true or false"):
        result_schema.migrated({"schema": 1, "config": {"joint": value}})


def test_schema_1_is_migrated():
    config = {
        "draws": 3,
        "arguments": {"initialisation": "oracle"},
        "joint": False,
        "single": True,
        "notes": ["future", "differs: fewer texts", "differs", "upper-bound", "told", "two: passes"],
    }
    diagnostics = {"experiences": [{"quantisation_error": 0.5}]}
    content = result_schema.migrated({"schema": 1, "config": config, "diagnostics": diagnostics})
    assert content == {
        "schema": result_schema.SCHEMA,
        "config": {
            "samples_per_epoch": 3,
            "pooling": "mean",
            "head": "linear",
            "arguments": {"initialization": "oracle"},
            "stream": "single",
            "patience": None,
            "notes": [
                {"kind": "sees-future", "text": ""},
                {"kind": "deviation", "text": "fewer texts"},
                {"kind": "deviation", "text": ""},
                {"kind": "upper-bound", "text": ""},
                {"kind": "task-id-oracle", "text": ""},
                {"kind": "remark", "text": "two: passes"},
            ],
        },
        "diagnostics": {"experiences": [{"quantization_error": 0.5}]},
    }


@pytest.mark.parametrize(
    ("tuning", "precision"), [("frozen", "bfloat16"), ("full", "float32"), ("lora", "float32")]
)
def test_schema_2_is_migrated_to_the_precision_in_which_the_encoder_computed(tuning, precision):
    old = {
        "schema": 2,
        "config": {"tuning": tuning, "dtype": "bfloat16"},
        "provenance": {"fingerprints": {"data": "a", "dtype": "bfloat16"}},
    }
    assert result_schema.migrated(old) == {
        "schema": result_schema.SCHEMA,
        "config": {
            "tuning": tuning,
            "precision": precision,
            "patience": None,
            "pooling": "mean",
            "head": "linear",
        },
        "provenance": {"fingerprints": {"data": "a"}},
    }


@pytest.mark.parametrize(
    ("task_aware", "confusion", "expected"),
    [
        (False, True, 0.625),  # [[1, 1], [1, 3]]: (2 / (2 + 2) + 6 / (4 + 4)) / 2
        (True, True, 0.1),
        (False, False, None),  # it cannot be known
    ],
)
def test_schema_3_is_migrated_to_the_macro_f1_of_the_union(result, task_aware, confusion, expected):
    old = {**result.to_json(), "schema": 3}
    old["config"] = {**CONFIG, "task_aware": task_aware}
    old["metrics"] = {**old["metrics"], "macro_f1": 0.1}
    if not confusion:
        del old["confusion"]
    assert result_schema.migrated(old)["metrics"] == {**old["metrics"], "macro_f1": expected}


def test_schema_4_had_the_linear_head_alone(result):
    old = {**result.to_json(), "schema": 4}
    migrated = result_schema.migrated(old)
    assert migrated == {**old, "schema": 5, "config": {**old["config"], "head": "linear"}}


def test_schema_3_had_no_validation():
    phases = {"evaluate": {"algorithm": 2, "spent": 1}}
    costs = {"seconds": {"evaluate": 1.0, "total": 1.0}, "flops": {"spent": 1, "phases": phases}}
    assert result_schema.migrated({"schema": 3, "costs": costs})["costs"] == {
        "seconds": {"evaluate": 1.0, "total": 1.0, "validate": 0.0},
        "flops": {"spent": 1, "phases": {**phases, "validate": {"algorithm": 0, "spent": 0}}},
    }
