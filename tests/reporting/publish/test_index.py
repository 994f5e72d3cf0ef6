"""What a folder of results says about itself."""

from support.result_files import HOSTILE, result, write

from clbench.data.scenarios import SCENARIOS
from clbench.reporting.load import load_results
from clbench.reporting.publish.index import index
from clbench.reporting.publish.published import FIGURES


def section(text, heading):
    return text.split(f"## {heading}\n\n", 1)[1].split("\n## ", 1)[0]


def loaded(folder, *changes):
    for number, change in enumerate(changes):
        content = result("alpha", "ewc-frozen", 0)
        content["config"] |= {"seed": number, "tuning": "frozen", "encoder": "minilm", **change}
        write(folder, content)
    return load_results([folder])


DECLARED = {name: scenario.protocol for name, scenario in SCENARIOS.items()}
PAPER = {"scenario": "dsc-dil", "epochs": 20, "batch_size": 32, "max_tokens": 128}


def test_only_what_differs_from_the_declared_protocol_is_told(tmp_path):
    frame = loaded(tmp_path, {**PAPER, "epochs": 3}, {**PAPER, "epochs": 3, "train_per_class": 24})
    told = section(index(frame, tmp_path, DECLARED), "What differs from the paper")
    assert "dsc-dil, frozen: epochs 3 instead of 20; training texts of a class at most 24; all" in told
    assert "texts per step" not in told
    assert "Encoder minilm; the paper has BERT-base" in told


def test_the_papers_own_protocol_and_encoder_are_no_difference(tmp_path):
    frame = loaded(tmp_path, {**PAPER, "encoder": "bert-base"})
    assert section(index(frame, tmp_path, DECLARED), "What differs from the paper").strip() == ""


def test_methods_that_see_the_future_are_named(tmp_path):
    frame = loaded(tmp_path, {"method": "seer", "notes": ["future"]}, {"method": "honest"})
    assert section(index(frame, tmp_path, DECLARED), "Methods that see future data").strip() == "- seer"


def test_published_figures_stand_beside_ours_and_missing_ones_are_dashes(tmp_path):
    frame = loaded(tmp_path, {**PAPER, "method": "ewc-frozen-cnn"})
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(index(frame, tmp_path, DECLARED), "Published figures beside ours").splitlines()
        if line.startswith("| dsc-dil")
    ]
    assert [row[1] for row in rows] == list(FIGURES["dsc-dil"])
    by_method = {row[1]: row[2:] for row in rows}
    # By hand: the one run has average accuracy 0.6 and macro-F1 0.5.
    assert by_method["ewc-frozen-cnn"] == ["72.77", "65.76", "60.0", "50.0", "1"]
    assert by_method["ctr"] == ["89.31", "88.75", "\N{EN DASH}", "\N{EN DASH}", "0"]


def test_published_frozen_rows_are_said_to_be_of_a_text_cnn_and_stand_beside_ours_with_one(tmp_path):
    frame = loaded(tmp_path, {**PAPER, "method": "ewc-frozen"}, {**PAPER, "method": "l2-frozen-cnn"})
    published = section(index(frame, tmp_path, DECLARED), "Published figures beside ours")
    assert "a text CNN on the token states of a frozen BERT, not of a linear probe" in published
    assert not any("-frozen" in name and "-frozen-cnn" not in name for name in FIGURES["dsc-dil"])
    rows = [line.split("|") for line in published.splitlines() if "ewc-frozen" in line]
    assert [row[2].strip() for row in rows] == ["ewc-frozen-cnn"]
    assert rows[0][7].strip() == "0"  # a linear probe is no reproduction of it


def test_published_figures_without_a_run_of_ours_are_no_table(tmp_path):
    frame = loaded(tmp_path, {**PAPER, "method": "ncm"})
    published = section(index(frame, tmp_path, DECLARED), "Published figures beside ours")
    assert published.strip() == "There are none of these methods on these scenarios."


def test_text_from_files_does_nothing(tmp_path):
    frame = loaded(tmp_path, {"method": HOSTILE, "notes": ["future"], "scenario": "<b>"})
    text = index(frame, tmp_path, DECLARED)
    assert "<img" not in text
    assert "<b>" not in text
