"""Tables and plots, from result files that the tests write themselves."""

import doctest
import json
import re
from pathlib import Path

import pytest
from support.result_files import ORACLE, result, write

import clbench.reporting
from clbench.core.errors import UserError
from clbench.reporting.load import load_results
from clbench.reporting.tables.comparison import comparison_table


def cells(text, first):
    """The cells of the Markdown row whose first cell begins with ``first``, one list per table."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip().startswith(first)]


# Loading


def test_each_result_file_is_one_row(frame, results):
    assert len(frame) == 16
    row = frame[(frame["scenario"] == "alpha") & (frame["method"] == "ewc-frozen")].iloc[1]
    assert (row["title"], row["encoder"], row["order"], row["seed"], row["status"]) == (
        "Scenario alpha",
        "tiny",
        "0",
        1,
        "done",
    )
    assert row["metrics.forgetting"] == 0.2
    assert row["costs.seconds.train"] == 8.0
    assert row["accuracy"] == [[0.8, 0.2], [0.6, 0.8]]
    assert row["stream_accuracy"] == pytest.approx([0.5, 0.7])
    assert row["experience_names"] == ["one", "two"]
    assert Path(row["path"]).is_relative_to(results)


def test_what_is_null_or_absent_is_nan(frame):
    joint = frame[frame["stream"] == "joint"]
    assert joint["metrics.forgetting"].isna().all()
    assert joint["costs.flops.spent"].isna().all()


def test_the_use_of_keys_is_a_list_over_experiences_and_empty_without_keys(tmp_path):
    content = result("alpha", "ewc-frozen", 0)
    content["diagnostics"] = {
        "experiences": [{"overlap": [], **KEYS}, {"overlap": [0.25], **KEYS, "dead_keys": 5}]
    }
    write(tmp_path, content)
    write(tmp_path, result("alpha", ORACLE, 0))
    without, row = (each for _, each in load_results([tmp_path]).iterrows())
    assert row["key_use.keys_in_use"] == [3, 3]
    assert row["key_use.dead_keys"] == [7, 5]
    assert row["key_use.perplexity"] == [2.5, 2.5]
    assert row["key_use.overlap"] == [[], [0.25]]
    assert row["diagnostics.dead_keys"] == 5
    assert without["key_use.overlap"] == without["key_use.dead_keys"] == []


def test_orders_are_names_and_whole_numbers_are_taken_as_such(tmp_path):
    for order in (0, "random:3"):
        content = result("alpha", "ewc-frozen", 0)
        content["config"]["order"] = order
        (tmp_path / f"order{order}-seed0.json").write_text(json.dumps(content))
    frame = load_results([tmp_path])
    assert list(frame["order"]) == ["0", "random:3"]
    assert comparison_table(frame)["n"].to_list() == [2]


def test_files_folders_and_globs_may_overlap(results):
    one = results / "alpha" / "tiny" / "ewc-frozen" / "order0-seed0.json"
    assert len(load_results([one])) == 1
    assert len(load_results([results / "alpha" / "tiny" / "*" / "*seed0.json"])) == 4
    assert len(load_results([one, results / "alpha", str(results / "alpha" / "**" / "*.json")])) == 8


def test_other_json_files_in_a_folder_are_let_be(results):
    (results / "bench.json").write_text("[]")
    assert len(load_results([results])) == 16


KEYS = {"keys_in_use": 3, "dead_keys": 7, "perplexity": 2.5}


def edited(**changes):
    content = result("alpha", "ewc-frozen", 0)
    for path, value in changes.items():
        *groups, last = path.split("__")
        place = content
        for group in groups:
            place = place[group]
        place[last] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "recursion"),
        ('{"status": "done"}', "schema is missing"),
        (edited(schema=6), "schema is 6, but this version of clbench reads schema 5"),
        (edited(status="finished"), "finished"),
        (edited(config=[]), "config is not an object"),
        (edited(config__method=None), "config.method is missing"),
        (edited(config__seed=True), "config.seed is not a whole number"),
        (
            edited(config__order=True),
            "config.order is not the number of a published order, 0, random:SEED or classes:SEED",
        ),
        (edited(config__order="../x"), "config.order is not the number of a published order"),
        (edited(config__order=-1), "config.order is not the number of a published order"),
        (
            edited().replace('"status": "done"', '"status": "done", "status": "failed"'),
            "'status' is there twice",
        ),
        (edited(experiences=[{"name": 5}, {}]), "experiences.name is not a text"),
        (edited(config__arguments=[1]), "config.arguments is not an object"),
        (edited(config__task_aware="no"), "config.task_aware is not true or false"),
        (edited(config__kind="klass"), "config.kind is 'klass', not one of class, domain, task"),
        (edited(config__head="mlp", schema=5), "config.head is 'mlp', not one of linear, cnn"),
        (edited(provenance={"machine": "x"}), "provenance.machine is not an object"),
        (edited(provenance={"command": 5}), "provenance.command is not a text"),
        (edited(config__joint="no"), "config.joint is not true or false"),
        (edited(config__single="no"), "config.single is not true or false"),
        (edited(metrics__bwt="low"), "metrics.bwt is not a number"),
        (edited(metrics__bwt=float("nan")), "NaN"),
        (edited(metrics__average_accuracy=None), "metrics.average_accuracy is missing"),
        (edited(accuracy=[0.5, 0.5]), "accuracy is not a list of numbers"),
        (edited(stream_accuracy=[0.5]), "number of stages"),
        (edited(accuracy=[[0.5, 1.5], [0.5, 0.5]]), "accuracy is 1.5, not between 0 and 1"),
        (edited(macro_f1=[[0.5, -0.1], [0.5, 0.5]]), "macro_f1 is -0.1, not between 0 and 1"),
        (edited(metrics__average_accuracy=70), "metrics.average_accuracy is 70, not between 0 and 1"),
        (edited(accuracy=[[0.5], [0.5, 0.5]]), "differ in length"),
        (edited(accuracy=[[0.5, float("inf")], [0.5, 0.5]]), "Infinity"),
        (edited(costs={"seconds": {"train": 0}}).replace('"train": 0', '"train": 1e999'), "seconds.train"),
        (edited(confusion=[[]]), "confusion and accuracy differ"),
        (edited(experiences=["one"]), "experiences"),
        (edited(experiences=[{"examples": -1}, {}]), "experiences.examples is -1, not a whole number"),
        (
            edited(experiences=[{"steps": 0.5}, {}]),
            "experiences.steps is 0.5, not a whole number of at least",
        ),
        (edited(costs={"parameters": {"trainable": 0.5}}), "parameters.trainable is 0.5, not a whole number"),
        (edited(diagnostics={"experiences": [{"overlap": [1.5], **KEYS}]}), "overlap is 1.5, not"),
        (
            edited(
                accuracy=[[0.5, 0.5]] * 3,
                macro_f1=[[0.5, 0.5]] * 3,
                stream_accuracy=[0.5] * 3,
                experiences=[{}] * 3,
            ),
            "3 rows, more than its 2 experiences",
        ),
        (edited(provenance={"fingerprints": "x"}), "provenance.fingerprints is not an object"),
        (edited(provenance={"datasets": {"x": {"fingerprint": 1}}}), "fingerprint is not a text"),
        (edited(diagnostics={"experiences": [{"overlap": [0.5], **KEYS}]}), "one value for each earlier"),
        (edited(diagnostics={"experiences": [{"overlap": []}]}), "experiences.keys_in_use is missing"),
        (edited(diagnostics={"experiences": [{"overlap": 1, **KEYS}]}), "overlap is not a list of numbers"),
        (
            edited(diagnostics={"experiences": [{"overlap": [], **KEYS, "dead_keys": "no"}]}),
            "dead_keys is not",
        ),
    ],
)
def test_a_file_that_is_no_result_is_named_with_the_reason_in_one_line(tmp_path, text, reason):
    path = tmp_path / "order0-seed0.json"
    path.write_text(text)
    with pytest.raises(UserError, match=reason) as caught:
        load_results([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_to_itself_is_named(tmp_path):
    path = tmp_path / "order0-seed0.json"
    path.symlink_to(path.name)
    with pytest.raises(UserError, match=re.escape(str(path))):
        load_results([tmp_path])


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "order0-seed0.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a result file"):
        load_results([path])


@pytest.mark.parametrize("name", ["", "nothing", "nothing*.json"])
def test_a_path_without_results_is_named(tmp_path, name):
    with pytest.raises(UserError, match=re.escape(str(tmp_path / name))):
        load_results([tmp_path / name])


def test_no_paths_are_refused():
    with pytest.raises(UserError, match="no result files"):
        load_results([])


def test_the_same_run_from_two_folders_does_not_pass_for_two_seeds(tmp_path):
    first = write(tmp_path / "a", result("alpha", "ewc-frozen", 0))
    second = write(tmp_path / "b", result("alpha", "ewc-frozen", 0))
    with pytest.raises(UserError, match="same run") as caught:
        load_results([tmp_path])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_streams_of_another_length_are_not_averaged(tmp_path):
    write(tmp_path, result("alpha", "ewc-frozen", 0))
    longer = result("alpha", "ewc-frozen", 1)
    longer["accuracy"] = longer["macro_f1"] = [[0.5, 0.5, 0.5]] * 3
    longer["stream_accuracy"] = [0.5] * 3
    path = write(tmp_path, longer)
    with pytest.raises(UserError, match=re.escape(str(path))):
        load_results([tmp_path])


# The report


def test_the_example_for_notebooks_is_right(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results == tmp_path / "runs"
    found = doctest.testmod(clbench.reporting)
    assert found.attempted == 6
    assert found.failed == 0
    assert (tmp_path / "stream_accuracy.svg").exists()


def test_all_that_notebooks_are_promised_is_there():
    assert sorted(clbench.reporting.__all__) == clbench.reporting.__all__
    for name in clbench.reporting.__all__:
        assert getattr(clbench.reporting, name).__doc__
