"""Findings say what the results show, and their comparison has the numbers."""

import pytest
from support.result_files import loaded, scored

from clbench.core.types import FAMILIES
from clbench.reporting.figures.costs import AFTER_ENCODING
from clbench.reporting.figures.styles import _KNOWN
from clbench.reporting.load import load_results
from clbench.reporting.site.charts import cost_chart, curve_chart, heat_maps
from clbench.reporting.site.findings import NOUNS, findings
from clbench.reporting.site.names import run_ids
from clbench.reporting.tables.comparison import comparison_table


def found(frame):
    return findings(frame, comparison_table(frame))


def runs(**scores):
    """By scenario: methods with one run each."""
    return [
        scored(scenario, method, [score], task_aware=False)
        for scenario, methods in scores.items()
        for method, score in methods.items()
    ]


def test_a_family_leads_where_its_best_is_first_in_most_streams(tmp_path):
    frame = loaded(
        tmp_path,
        *runs(
            x={"ncm": 0.9, "slda": 0.8, "ewc-frozen": 0.7},
            y={"ncm": 0.5, "slda": 0.6, "ewc-frozen": 0.4},
            z={"ncm": 0.3, "slda": 0.2, "ewc-frozen": 0.4},
        ),
    )
    ranks, families, *_ = found(frame)
    # By hand: ncm 1, 2, 2 and slda 2, 1, 3 of three.
    assert ranks.text.startswith(
        "NCM has the best average rank, 1.7 over 3 scenarios. None of the other 2 methods is "
        "significantly behind it"
    )
    # (0.2 + 0.2 - 0.1) / 3
    assert families.text == (
        "Where the task of a test text is not known, prototype methods lead: their best is first in 2 of 3 "
        "streams, and 10.0 points above the best of every other family on average."
    )
    assert [[cell.text for cell in row] for row in families.comparison.rows] == [
        ["x", "NCM", "EWC"], ["y", "SLDA", "EWC"], ["z", "NCM", "EWC"],
    ]  # fmt: skip
    assert families.comparison.rows[0][1].aside == "90.0 %"


def test_no_family_leads_where_each_is_first_in_half(tmp_path):
    frame = loaded(tmp_path, *runs(x={"ncm": 0.9, "ewc-frozen": 0.7}, y={"ncm": 0.3, "ewc-frozen": 0.4}))
    assert (
        "no family leads everywhere: the best of prototype methods is first in 1 of 2" in found(frame)[0].text
    )


def test_joint_training_the_future_and_the_state_are_compared(tmp_path):
    seer = scored("x", "dkvb-np-oracle", [0.8], notes=["future"])
    small = scored("x", "ncm", [0.79])
    small[0]["costs"]["carried_bytes"]["total"] = 512
    texts = [
        each.text for each in found(loaded(tmp_path, seer, small, scored("x", "both", [0.7], joint=True)))
    ]
    joint, state, future = texts[-3:]
    assert (
        "10.0 points above the best joint training on average over 1 stream, and at least level with it in 1"
        in joint
    )
    assert "In 1 of 1 stream a method with a smaller state" in state
    assert "3 times fewer bytes" in state
    assert "first in 1 of 1 stream: their best is 1.0 points above" in future


def test_results_without_finished_runs_have_no_findings(tmp_path):
    content = scored("x", "ncm", [0.5])
    content[0] |= {"status": "failed", "metrics": {}}
    assert found(loaded(tmp_path, content)) == []


def test_every_family_has_a_noun():
    assert set(NOUNS) == set(FAMILIES)


def test_a_chart_has_the_seconds_without_those_of_encoding(tmp_path):
    contents = scored("x", "ncm", [0.5, 0.7])
    for content, total in zip(contents, (12.0, 16.0), strict=True):
        content["costs"]["seconds"] = {"total": total, "encode": 10.0}
    frame = loaded(tmp_path, contents, scored("x", "both", [0.7], joint=True))
    frame.loc[frame["method"] == "both-joint", AFTER_ENCODING] = float("nan")  # not recorded
    chart = cost_chart(frame, comparison_table(frame), run_ids(frame))
    assert next(iter(chart["costs"])) == AFTER_ENCODING  # what is shown at first
    found = {one["name"]: one["costs"][AFTER_ENCODING] for one in chart["points"]}
    assert found == {"NCM": pytest.approx(4.0), "both": None}
    tunings = loaded(
        tmp_path / "more", contents, scored("x", "ewc-full", [0.7]), scored("x", "ewc-frozen", [0.7])
    )
    chart = cost_chart(tunings, comparison_table(tunings), run_ids(tunings))
    assert AFTER_ENCODING not in chart["costs"]  # encoding is a part of training where the encoder trains
    assert all(one["costs"].keys() == chart["costs"].keys() for one in chart["points"])


def test_charts_have_the_means_and_lead_to_the_runs(tmp_path):
    scores = scored("x", "ncm", [0.5, 0.7, 0.9])
    frame = loaded(tmp_path, scores, scored("x", "both", [0.7], joint=True))
    ids = run_ids(frame)
    points = {one["name"]: one for one in cost_chart(frame, comparison_table(frame), ids, "../")["points"]}
    assert points["NCM"]["value"] == pytest.approx(0.7)
    assert (points["NCM"]["low"], points["NCM"]["high"]) == pytest.approx((0.5, 0.9))
    assert points["NCM"]["family"] == _KNOWN["ncm"][0]
    assert [href for _, href in points["NCM"]["runs"]] == [
        f"../runs/{each}.html" for each in ids if "ncm" in each
    ]
    assert points["NCM"]["competes"]
    assert not points["both"]["competes"]
    assert points["NCM"]["costs"]["flops_algorithm"] is None  # JSON has no NaN

    chart = curve_chart(frame, frame)
    assert {line["name"]: line["competes"] for line in chart["lines"]} == {"NCM": True, "both": False}
    lines = {line["name"]: line["values"] for line in chart["lines"]}
    assert chart["stages"] == len(lines["NCM"]) == 2
    assert lines["NCM"][0] == pytest.approx(scores[0]["stream_accuracy"][0])
    maps = {each["name"]: each["rows"] for each in heat_maps(frame, frame)}
    assert maps["NCM"][1] == pytest.approx([70.0, 70.0])
    assert load_results([tmp_path]).shape == frame.shape
