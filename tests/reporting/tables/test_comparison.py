"""The comparison before any rendering, and what is said across scenarios."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from support.result_files import HOSTILE, JOINT, ORACLE, loaded, result, scored, write

from clbench.reporting import formatting, measures
from clbench.reporting.load import load_results
from clbench.reporting.statistics import ranking
from clbench.reporting.statistics.intervals import hierarchical_interval
from clbench.reporting.statistics.ranking import average_ranks, task_means
from clbench.reporting.statistics.simultaneous import worse_p
from clbench.reporting.tables import cells, notes
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.summary import summary_tables


@pytest.mark.parametrize("module", [cells, measures, notes, formatting])
def test_the_examples_in_the_docstrings_are_right(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted


def test_joint_training_comes_first_then_methods_by_average_accuracy(frame):
    table = comparison_table(frame)
    assert list(table.loc[table["scenario"] == "alpha", "method"]) == [JOINT, ORACLE, "ewc-frozen", HOSTILE]


def test_the_comparison_holds_means_intervals_and_deviations_over_finished_runs(frame):
    table = comparison_table(frame).set_index(["scenario", "method"])
    ewc = table.loc[("alpha", "ewc-frozen")]
    assert (ewc["status"], ewc["runs"], ewc["n"], ewc["forgetting_n"]) == ("done", 2, 2, 2)
    assert ewc["average_accuracy"] == pytest.approx(0.65)  # (0.6 + 0.7) / 2
    assert math.isnan(ewc["average_accuracy_low"])  # two runs have no interval
    assert ewc["average_accuracy_sd"] == pytest.approx(0.1 / 2**0.5)  # two values: their distance / sqrt(2)
    assert ewc["seconds_train"] == pytest.approx(7.0)
    assert ewc["seconds_per_epoch"] == pytest.approx(2.0)  # (1 + 2) / 2 and (1 + 4) / 2
    partial = table.loc[("beta", "ewc-frozen")]
    assert (partial["status"], partial["runs"], partial["n"]) == ("partial", 2, 1)
    assert partial["average_accuracy"] == 0.6
    assert pd.isna(partial["average_accuracy_low"])
    assert pd.isna(partial["average_accuracy_sd"])


def test_the_files_behind_a_row_are_those_of_its_finished_runs(frame):
    table = comparison_table(frame).set_index(["scenario", "method"])
    (file,) = table.loc[("beta", "ewc-frozen"), "files"]
    assert file.endswith("beta/tiny/ewc-frozen/order0-seed0.json")
    assert len(table.loc[("alpha", "ewc-frozen"), "files"]) == 2


def test_intervals_draw_orders_before_seeds(tmp_path):
    scores = {("0", 0): 0.5, ("0", 1): 0.6, ("random:1", 0): 0.7, ("random:1", 1): 0.9}
    table = comparison_table(loaded(tmp_path, scored("alpha", "mine", scores)))
    values, orders = list(scores.values()), [order for order, _ in scores]
    expected = hierarchical_interval(values, orders, np.random.default_rng(0))
    (row,) = table.to_dict("records")
    assert row["average_accuracy_low"] == pytest.approx(expected.low[0])
    assert row["average_accuracy_high"] == pytest.approx(expected.high[0])


def test_a_measure_that_some_runs_lack_is_over_the_others(tmp_path):
    first, second, third = scored("alpha", "mine", [0.5, 0.6, 0.7])
    second["metrics"]["forgetting"] = None
    third["metrics"]["forgetting"] = 0.1
    (row,) = comparison_table(loaded(tmp_path, [first, second, third])).to_dict("records")
    assert (row["n"], row["forgetting_n"]) == (3, 2)
    assert row["forgetting"] == pytest.approx((0.3 + 0.1) / 2)


def marks(table, name="average_accuracy"):
    return dict(zip(table["method"], table[f"{name}_mark"], strict=True))


def test_the_best_is_marked_and_what_is_not_significantly_worse(tmp_path):
    scores = {
        "best": [0.90, 0.92, 0.91, 0.93],
        "near": [0.91, 0.90, 0.92, 0.89],
        "far": [0.50, 0.55, 0.52, 0.51],
        "farther": [0.40, 0.45, 0.49, 0.41],
    }
    frame = loaded(tmp_path, *(scored("alpha", name, values) for name, values in scores.items()))
    table = comparison_table(frame).set_index("method", drop=False)
    assert marks(table) == {"best": "best", "near": "close", "far": "", "farther": ""}
    expected = worse_p(np.transpose(list(scores.values())), 0)
    found = table.loc[["near", "far", "farther"], "average_accuracy_p"]
    assert list(found) == list(expected[1:])
    assert math.isnan(table.loc["best", "average_accuracy_p"])
    # All have the same of everything else: none is best.
    assert set(table["forgetting_mark"]) == {""}


def test_where_lower_is_better_the_lowest_is_best_and_seconds_have_no_best(tmp_path):
    runs = [scored("alpha", name, [0.5, 0.6, 0.7]) for name in ("a", "b")]
    for seed, content in enumerate(runs[1]):
        content["costs"]["seconds"]["total"] = 3.0 + seed
        content["costs"]["carried_bytes"]["total"] = 3 + seed
    table = comparison_table(loaded(tmp_path, *runs))
    assert marks(table, "carried_bytes_total") == {"a": "", "b": "best"}
    for name in ("total", "encode", "train", "per_epoch"):
        assert marks(table, f"seconds_{name}") == {"a": "", "b": ""}


def test_pairs_are_of_the_same_order_and_seed(tmp_path):
    # Paired by seed, b leads by 0.1 each time; by position it would not.
    ours = {(0, 0): 0.5, (0, 1): 0.7, (0, 2): 0.9}
    theirs = {(0, 2): 0.8, (0, 1): 0.6, (0, 0): 0.4, (1, 0): 0.6}
    frame = loaded(tmp_path, scored("alpha", "a", theirs), scored("alpha", "b", ours))
    table = comparison_table(frame).set_index("method", drop=False)
    assert marks(table) == {"a": "", "b": "best"}
    assert table.loc["a", "average_accuracy_p"] == 0
    assert table.loc["a", "average_accuracy_pairs"] == 3


@pytest.mark.parametrize(
    "config",
    [
        {"joint": True},
        {"single": True},
        {"notes": ["task-id-oracle"]},
        {"notes": ["task-id-oracle", "future"]},
    ],
)
def test_joint_training_does_not_compete(tmp_path, config):
    frame = loaded(
        tmp_path,
        scored("alpha", "a", [0.5, 0.6, 0.4]),
        scored("alpha", "b", [0.4, 0.4, 0.4]),
        scored("alpha", "best", [0.9, 0.9, 0.9], **config),
    )
    assert marks(comparison_table(frame)) == {"best": "", "a": "best", "b": "close"}
    assert list(average_ranks(frame)["method"]) == ["a", "b"]


def test_methods_that_see_the_future_compete(tmp_path):
    frame = loaded(
        tmp_path, scored("alpha", "a", [0.5, 0.6]), scored("alpha", "b", [0.9, 0.9], notes=["future"])
    )
    assert marks(comparison_table(frame))["b"] == "best"


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_method_without_a_finished_run_stands_last_with_its_status(results, status):
    for seed in (0, 1):
        write(results, result("alpha", ORACLE, seed, status=status))
    table = comparison_table(load_results([results]))
    assert (table["method"].iloc[3], table["status"].iloc[3]) == (ORACLE, status)
    assert table["average_accuracy_n"].iloc[3] == 0


def test_only_unfinished_runs_are_a_table_too(tmp_path):
    write(tmp_path, result("alpha", "ewc-frozen", 0, status="failed"))
    (row,) = comparison_table(load_results([tmp_path])).to_dict("records")
    assert (row["status"], row["n"]) == ("failed", 0)


def test_a_method_without_any_run_in_a_scenario_is_missing_there(results):
    for path in (results / "beta" / "tiny" / "ewc-frozen").iterdir():
        path.unlink()
    table = comparison_table(load_results([results])).set_index(["scenario", "method"])
    assert table.loc[("beta", "ewc-frozen"), "status"] == "missing"


# Across scenarios


def test_average_ranks_by_hand(tmp_path):
    frame = loaded(
        tmp_path,
        scored("alpha", "a", [0.9] * 3),
        scored("alpha", "b", [0.5] * 3),
        scored("alpha", "c", [0.5] * 3),
        scored("beta", "a", [0.6] * 3),
        scored("beta", "b", [0.8] * 3),
        scored("beta", "c", [0.1] * 3),
    )
    found = average_ranks(frame)
    assert list(found.columns) == ["method", "mean", "low", "high", "n"]
    # a: 1 and 2; b: 2.5 (shared) and 1; c: 2.5 and 3. All runs are equal, so nothing is left to chance.
    assert found.to_numpy().tolist() == [
        ["a", 1.5, 1.5, 1.5, 2],
        ["b", 1.75, 1.75, 1.75, 2],
        ["c", 2.75, 2.75, 2.75, 2],
    ]


def test_ranks_have_intervals_and_methods_are_drawn_on_the_same_runs(tmp_path):
    frame = loaded(
        tmp_path,
        scored("alpha", "above", [0.3, 0.6, 0.9]),
        scored("alpha", "below", [0.2, 0.5, 0.8]),  # below in each seed, so in each sample
        scored("alpha", "mixed", [0.9, 0.5, 0.1]),
    )
    found = average_ranks(frame).set_index("method")
    assert found.loc["above", "high"] == 2
    assert found.loc["below", "low"] == 2
    assert list(found.loc["mixed", ["low", "high"]]) == [1, 3]
    assert average_ranks(frame, np.random.default_rng(1)).shape == (3, 5)


def test_a_method_that_lacks_a_scenario_takes_none_from_the_ranks_of_others(tmp_path):
    frame = loaded(
        tmp_path,
        scored("alpha", "a", [0.9]),
        scored("alpha", "b", [0.5]),
        scored("alpha", "c", [0.7]),
        scored("beta", "a", [0.1]),
        scored("beta", "b", [0.8]),
    )
    found = average_ranks(frame).set_index("method")
    # Without c: a is first and second, b second and first.
    assert found.loc[["a", "b"], ["mean", "n"]].to_numpy().tolist() == [[1.5, 2], [1.5, 2]]
    assert math.isnan(found.loc["c", "mean"])
    assert found.loc["c", "n"] == 0
    tested = task_means(frame)  # by Friedman and Nemenyi
    assert tested.columns.to_list() == ["a", "b"]
    assert tested.to_numpy().tolist() == [[0.9, 0.5], [0.1, 0.8]]


def test_ranks_are_over_the_scenarios_that_all_have(tmp_path):
    frame = loaded(
        tmp_path,
        scored("alpha", "a", [0.9]),
        scored("alpha", "b", [0.5]),
        scored("beta", "a", [0.1]),
        scored("beta", "b", [0.9]),
        scored("gamma", "b", [0.9]),
        scored("gamma", "never", [0.9]),
    )
    without = frame[frame["method"] != "never"]
    found = average_ranks(without).set_index("method")
    assert list(found["n"]) == [2, 2]
    (table,) = summary_tables(without, comparison_table(without))
    cells = {row.method: [cell.text for cell in row.cells] for row in table.rows}
    assert cells["a"][:4] == ["90.0", "10.0", "missing", "1.50"]
    assert any("2 of 3 scenarios" in line and "alpha, beta" in line for line in table.notes)
    assert {row.method: row.runs for row in table.rows} == {"a": "2 of 3", "b": "3"}
    # No scenario is left that all three have.
    assert average_ranks(frame)["mean"].isna().all()
    (table,) = summary_tables(frame, comparison_table(frame))
    assert table.notes[-1].startswith("No ranks")


def test_the_summary_has_intervals_ranks_and_aggregates(tmp_path):
    frame = loaded(
        tmp_path,
        scored("alpha", "a", [0.9, 0.8]),
        scored("alpha", "b", [0.85, 0.1]),
        scored("beta", "a", [0.7, 0.6]),
        scored("beta", "b", [0.2, 0.1]),
        scored("beta", "all", [0.9, 0.9], joint=True),
    )
    (table,) = summary_tables(frame, comparison_table(frame))
    joint, a, b = table.rows
    assert [cell.text for cell in joint.cells] == ["missing", "90.0", "–", "–", "–"]  # noqa: RUF001
    assert a.cells[0].text == "85.0"  # of two runs
    assert (a.cells[2].value, b.cells[2].value) == (1, 2)
    assert a.cells[3].value == pytest.approx((0.7 + 0.8) / 2)  # of 0.6, 0.7, 0.8, 0.9
    assert b.cells[3].value == pytest.approx((0.1 + 0.2) / 2)
    # alpha: 0.9 beats both, 0.8 one of them: 3/4; beta: always.
    assert b.cells[4].value == pytest.approx((3 / 4 + 1) / 2)
    assert len(b.cells[2].files) == 4


def test_the_summary_tests_the_ranks_of_three_methods_or_more(tmp_path):
    runs = [
        scored(task, name, [score])
        for task in ("x", "y", "z")
        for name, score in zip("abc", (0.9, 0.8, 0.7), strict=True)
    ]
    frame = loaded(tmp_path, *runs, scored("z", "both", [0.95], joint=True))
    (table,) = summary_tables(frame, comparison_table(frame))
    # Friedman by hand: 12 N / (k (k + 1)) sum (R - 2)^2 = 6, with 2 degrees of freedom exp(-3).
    # The critical difference is 2.343 sqrt(3 * 4 / (6 * 3)).
    line = table.notes[-1]
    assert "3 methods are equal over the 3 scenarios: p = 0.05." in line
    assert "less than 1.91 apart" in line


def test_one_scenario_has_no_summary_and_each_encoder_has_its_own(tmp_path):
    alone = loaded(tmp_path / "one", scored("alpha", "a", [0.9]))
    assert summary_tables(alone, comparison_table(alone)) == []
    both = loaded(
        tmp_path / "two",
        *(
            scored(scenario, "a", [0.9], encoder=encoder)
            for scenario in ("alpha", "beta")
            for encoder in ("large", "tiny")
        ),
    )
    found = summary_tables(both, comparison_table(both))
    assert [table.title for table in found] == [
        "Across scenarios, encoder large",
        "Across scenarios, encoder tiny",
    ]
    assert average_ranks(both)["n"].to_list() == [4]


def test_ranking_has_no_part_in_what_is_not_run():
    assert ranking.common_tasks({}, []) == []
