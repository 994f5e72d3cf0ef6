"""Tables, figures and pages of language models, beside those of classes."""

import json
import math

import numpy as np
import pytest

from clbench.core.errors import UserError
from clbench.core.language_metrics import bits_per_byte, language_summary, rouge_l
from clbench.core.result import RunResult
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.load import load_results
from clbench.reporting.publish.index import index
from clbench.reporting.site.site import write_page
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.render import csv, markdown, text_table
from clbench.tracking.content import row

R = {"better": [[1.0, 2.0], [1.1, 1.4]], "worse": [[1.2, 2.0], [1.8, 1.6]], "joint": [[0.9, 1.3]]}


def content(method, bits):
    """A result file with numbers that are easy to compute by hand: every experience has 1000 bytes."""
    general = [2.0 + 0.1 * place for place in range(len(bits))]
    counts = [[[each * 1000 * math.log(2), 1000] for each in each_row] for each_row in bits]
    language = {
        "untrained": [2.0, 2.5], "untrained_general": 2.0, "bits_per_byte": bits, "general": general,
        "untrained_counts": [[2000 * math.log(2), 1000], [2500 * math.log(2), 1000]], "counts": counts,
        "stream": [sum(each) / 2 for each in bits],
        "continuations": [{"name": "<a>", "texts": 1, "rouge_l": 0.5, "untrained_rouge_l": 0.25, "shown": [
            {"prompt": "p <b>", "true": "t", "continued": "c", "untrained": "u"}]}],
    }  # fmt: skip
    joint = method == "joint"
    metrics = language_summary(bits, language["untrained"], general, 2.0, joint=joint)
    return {
        "schema": 4, "status": "done", "provenance": {}, "language": language,
        "config": {"scenario": "lines-lm", "title": "Lines", "kind": "language-model", "encoder": "tiny-lm",
                   "method": method, "seed": 0, "order": "0", "columns": ["next token"], "notes": [],
                   "stream": "joint" if joint else "sequential", "task_aware": False},
        "metrics": metrics | {"rouge_l": 0.5, "untrained_rouge_l": 0.25},
        "costs": {"seconds": {"total": 1.0}, "carried_bytes": {"total": 10}, "flops": {"algorithm": 5}},
        "experiences": [{"name": name} for name in ("a", "b")[: len(bits)]],
        "accuracy": [], "macro_f1": [], "stream_accuracy": [], "confusion": [], "diagnostics": {},
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for method, bits in R.items():
        path = tmp_path / "language" / "lines-lm" / "tiny-lm" / method / "order0-seed0.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content(method, bits)))
    return tmp_path / "language"


def test_metrics_by_hand():
    found = language_summary(R["worse"], [2.0, 2.5], [2.0, 2.1], 2.0)
    assert found["average_bits_per_byte"] == pytest.approx(1.7)
    assert found["anytime_average_bits_per_byte"] == pytest.approx((1.2 + 1.7) / 2)
    assert found["learning_bits_per_byte"] == pytest.approx(1.4)
    assert found["forgetting_bits"] == pytest.approx(0.6)  # worse: the bits rose
    assert found["bwt_bits"] == pytest.approx(-0.6)
    assert found["fwt_bits"] == pytest.approx(0.5)  # better than untrained
    assert found["general_rise_bits"] == pytest.approx(0.1)
    three = [[1.0, 3, 3], [0.5, 1, 3], [2.0, 1.5, 1]]
    assert language_summary(three, [3, 3, 3], [1] * 3, 1)["forgetting_bits"] == pytest.approx((1.5 + 0.5) / 2)
    assert language_summary([[1.0, 2.0]], [2, 2], [2], 2)["average_bits_per_byte"] is None
    joint = language_summary([[1.0, 2.0]], [2, 2], [2], 2, joint=True)
    assert joint["average_bits_per_byte"] == 1.5
    assert joint["forgetting_bits"] is None
    assert bits_per_byte([math.log(2)], [4]) == [0.25]
    with pytest.raises(ValueError, match="1 byte"):
        bits_per_byte([1.0], [0])


def test_rouge_l_against_all_subsequences():
    from itertools import combinations

    draw = np.random.default_rng(0)
    for _ in range(50):
        first, second = (draw.choice(list("abc"), draw.integers(1, 7)).tolist() for _ in range(2))
        both = [
            {sub for size in range(len(each) + 1) for sub in combinations(each, size)}
            for each in (first, second)
        ]
        common = max(map(len, both[0] & both[1]))
        precision, recall = common / len(first), common / len(second)
        expected = 2 * precision * recall / (precision + recall) if common else 0.0
        assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(expected)
    assert rouge_l("", "a") == 0


def test_tables_say_sign_and_unit(folder):
    frame = load_results([folder])
    table = comparison_table(frame)
    assert list(table["method"]) == ["joint", "better", "worse"]
    assert list(table["average_bits_per_byte_mark"]) == ["", "best", ""]
    text = markdown(frame)
    assert "Average accuracy (%)" not in text
    assert all(each in text for each in ("Bits per byte |", "rise over the best", "lower is better", "1.250"))
    assert "average_bits_per_byte" in csv(frame)
    assert "average_accuracy" not in csv(frame)
    assert "Bits per byte" in text_table(frame)


def test_tables_of_classes_are_what_they_were(frame, folder):
    alone = csv(frame)
    assert "bits" not in alone
    both = load_results([folder, *frame["path"]])
    parts = markdown(both)
    assert "Bits per byte" in parts
    assert "Average accuracy (%)" in parts
    assert markdown(frame).split("## ")[1].splitlines()[:6] == parts.split("## ")[1].splitlines()[:6]


def test_figures(folder, frame):
    names = [name for name, _ in gallery(load_results([folder]))]
    assert {"bits_per_byte", "general_bits", "bits_cost"} <= set(names)
    assert not any("accuracy" in name or name == "forgetting" for name in names)
    assert not any("bits" in name for name, _ in gallery(frame))
    both = load_results([folder, *frame["path"]])
    assert {"bits_per_byte", "stream_accuracy"} <= {name.partition("-")[0] for name, _ in gallery(both)}


def test_pages_show_bits_and_continuations(folder, tmp_path):
    frame = load_results([folder])
    write_page(frame, tmp_path / "page")
    pages = [path.read_text() for path in (tmp_path / "page" / "runs").glob("*.html")]
    assert len(pages) == 3
    assert all("p &lt;b&gt;" in page and "&lt;a&gt;: ROUGE-L 50.0 %" in page for page in pages)
    assert any("<td" in page and "1.100" in page and "2.500" in page for page in pages)
    start = (tmp_path / "page" / "index.html").read_text()
    assert "bits per byte" in start
    assert "better" in start
    assert "lines-lm" in index(frame, tmp_path, {})


def test_what_is_logged(folder):
    result = RunResult.read(folder / "lines-lm" / "tiny-lm" / "worse" / "order0-seed0.json")
    logged = row(result, 1)
    assert logged["eval/stream_bits"] == pytest.approx(1.7)
    assert 1.8 in logged.values()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["language"].pop("stream"), "differ in their number of stages"),
        (lambda one: one["language"]["bits_per_byte"][0].pop(), "differ in length"),
        (lambda one: one["metrics"].update(average_bits_per_byte=9.0), "mean of the last row"),
        (lambda one: one["metrics"].pop("average_bits_per_byte"), "are missing"),
        (lambda one: one.update(experiences=[]), "fewer entries"),
        (lambda one: one["language"]["bits_per_byte"][0].__setitem__(0, -1.0), "at least 0"),
        (lambda one: one["language"]["continuations"][0].update(rouge_l=2), "between 0 and 1"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    one = content("better", [list(each) for each in R["better"]])
    change(one)
    path = tmp_path / "order0-seed0.json"
    path.write_text(json.dumps(one))
    with pytest.raises(UserError, match=message):
        RunResult.read(path)
