"""The comparison as Markdown and for the terminal."""

import doctest
import re

import pytest
from support.result_files import HOSTILE, JOINT, METHODS, ORACLE, close, loaded, result, scored, write

from clbench.core.errors import UserError
from clbench.reporting.formatting import percent
from clbench.reporting.load import load_results
from clbench.reporting.publish.readme import filled
from clbench.reporting.tables import render_markdown
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.render import csv, markdown, text_table


def cells(text, first):
    """The cells of the Markdown rows whose first cell begins with ``first``, one list per table."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip().startswith(first)]


def test_cells_are_rounded_and_carry_units_and_intervals(frame):
    alpha, beta, _ = cells(markdown(frame), "EWC")
    assert alpha == [
        "EWC, frozen",
        "2",
        "65.0",  # 0.6, 0.7, which is 0.2 below the best in each seed
        "65.0",  # the same: its experiences weigh the same here
        "55.0",  # 0.5, 0.6 against 0.8, 0.8: two runs are no test, and no interval
        "77.5",  # 0.75, 0.80
        "25.0",  # 0.3, 0.2
        "-25.0",
        "11.0",  # 10, 12
        "2.0",  # (1 + 2) / 2, (1 + 4) / 2
        "1.5 KiB",
    ]
    assert beta == [
        "EWC, frozen", "1 of 2", "60.0", "60.0", "50.0", "75.0", "30.0", "-30.0", "10.0", "1.5",
        "1.5 KiB",
    ]  # fmt: skip


def test_the_best_is_bold_and_the_test_is_named_in_its_section(frame, tmp_path):
    alpha, beta, _ = cells(markdown(frame), "DKVB (oracle keys)")
    assert alpha[2] == "**85.0**"
    assert alpha[8] == "11.0"  # all take the same time
    assert beta[8] == "11.0"  # ewc took less, perhaps on another machine
    # Two runs are no test.
    assert "≈" not in markdown(frame)
    text = markdown(close(tmp_path / "close"))
    assert cells(text, "near")[0][2] == "82.3 [80.0, 85.0] ≈"
    assert "- ≈: not significantly worse than it (Tukey's test of all pairs, which" in text
    assert "on the 3 orders and seeds that all tested methods have, p ≥ 0.05)" in text
    text = markdown(frame)
    assert beta[2] == "**85.0**"
    section = text.split("## Scenario beta")[1].split("## ")[0]
    assert "no test" in section
    assert "≈" not in section


def test_undefined_values_are_dashes(frame):
    assert cells(markdown(frame), "Fine-tuning")[0][5:8] == ["–", "–", "–"]  # noqa: RUF001


def test_a_mean_over_fewer_runs_than_its_row_says_so(tmp_path):
    runs = scored("alpha", "mine", [0.5, 0.6])
    runs[1]["metrics"]["forgetting"] = None
    (row,) = cells(markdown(loaded(tmp_path, runs)), "mine")
    assert row[6] == "30.0 (n = 1)"


@pytest.mark.parametrize("status", ["failed", "running"])
def test_cells_without_a_finished_run_say_why(results, status):
    for seed in (0, 1):
        write(results, result("alpha", ORACLE, seed, status=status))
    frame = load_results([results])
    assert cells(markdown(frame), "DKVB (oracle keys)")[0][1:] == ["0 of 2", *[status] * 9]
    assert status in text_table(frame)


def test_missing_methods_have_a_row(results):
    for path in (results / "beta" / "tiny" / "ewc-frozen").iterdir():
        path.unlink()
    frame = load_results([results])
    _, beta, across = cells(markdown(frame), "EWC")
    assert beta[1:] == ["0", *["missing"] * 9]
    assert across[1:4] == ["1 of 2", "65.0", "missing"]
    assert "No run of: EWC, frozen." in text_table(frame).split("\n\n")[1]
    assert "No run of" not in text_table(frame).split("\n\n")[0]


def test_marks_have_footnotes_where_they_are_used(frame, tmp_path):
    text = markdown(frame)
    assert cells(text, "DKVB (oracle keys)")[0][0] == "DKVB (oracle keys) †"
    assert cells(text, "Fine-tuning")[0][0] == "Fine-tuning, full, joint ↑"
    assert text.count("- † reads data") == text.count("- ↑ joint training on all experiences") == 3
    write(tmp_path / "plain", result("alpha", "ewc-frozen", 0))
    assert "†" not in markdown(load_results([tmp_path / "plain"]))


def test_each_way_to_differ_from_the_paper_is_written_out_once(tmp_path):
    fewer, other = "differs: 300 training texts per class", "differs: another learning rate."
    frame = loaded(
        tmp_path,
        scored("alpha", "one", [0.5], notes=[fewer]),
        scored("alpha", "three", [0.4], notes=["future", fewer, other, "differs: no dropout"]),
        scored("alpha", "two", [0.3], notes=["task-id-oracle"]),
        scored("beta", "one", [0.3], notes=["differs"]),
    )
    text = markdown(frame)
    assert [row[0] for row in cells(text, "one")] == ["one ‡"] * 3
    assert cells(text, "three")[0][0] == "three †‡"
    assert cells(text, "two")[0][0] == "two §"
    alpha, beta, _ = text.split("\n## ")[1:4]
    assert "- ‡ differs from the paper: 300 training texts per class (one, three).\n" in alpha
    assert "- ‡ differs from the paper: another learning rate; no dropout (three).\n" in alpha
    assert alpha.count("‡ differs") == 2
    assert "- ‡ differs from the paper (one).\n" in beta


def test_notes_without_a_mark_are_written_out(tmp_path):
    frame = loaded(tmp_path, scored("alpha", "mine", [0.5], notes=["two passes"]))
    assert cells(markdown(frame), "mine")[0][0] == "mine (two passes)"


def test_columns_are_chosen_by_name(frame):
    text = markdown(frame, ["forgetting", "seconds_train", "fwt"])
    header = cells(text, "Method")[0]
    assert header == ["Method", "n", "Forgetting (%)", "Train (s)", "FWT (%)"]
    assert cells(text, "EWC")[0][3] == "7.0"
    assert "BWT" not in text
    with pytest.raises(UserError, match="did you mean 'forgetting'") as caught:
        markdown(frame, ["forgeting"])
    assert "average_accuracy" in str(caught.value)


def test_costs_that_no_run_records_take_no_column(tmp_path):
    runs = scored("alpha", "mine", [0.5, 0.6])
    assert "FLOPs" not in markdown(loaded(tmp_path, runs))
    runs[0]["costs"]["flops"] = {"algorithm": 1.2e12}
    row = cells(markdown(loaded(tmp_path, runs)), "mine")[0]
    assert row[-2] == "1.2 T (n = 1)"


def test_result_files_are_named_from_the_folder_of_the_report(results, frame, tmp_path, monkeypatch):
    text = markdown(frame, relative_to=tmp_path / "report")
    folder = "../runs/beta/tiny/ewc-frozen/"
    section = text.split("## Scenario beta")[1].split("## ")[0]
    assert f"- EWC, frozen: {folder}: order0-seed0.json\n" in section  # and not the failed seed
    assert str(tmp_path) not in text
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) not in markdown(frame)
    text = markdown(load_results(["runs"]))
    assert "- EWC, frozen: runs/beta/tiny/ewc-frozen/: order0-seed0.json\n" in text


def test_runs_that_failed_or_still_run_are_listed_with_the_reason(frame):
    text = markdown(frame)
    assert "- EWC, frozen, order 0, seed 1: failed: out of memory \\| \\`rm\\`\n" in text
    assert re.search(r"^- .*onerror.*, order 0, seed 1: running$", text, re.MULTILINE)


def test_a_mean_over_runs_with_different_settings_says_so(results):
    for seed, epochs in enumerate([1, 5]):
        content = result("alpha", "ewc-frozen", seed)
        content["config"]["epochs"] = epochs
        write(results, content)
    text = markdown(load_results([results]))
    assert "- EWC, frozen: the mean is over runs that differ in epochs (1; 5)\n" in text
    assert text.count("differ in") == 1  # seeds may differ


def test_an_argument_that_older_files_lack_is_no_difference_unless_it_is_given(results):
    given = {"ewc-frozen": [{"fisher": "online"}, {"fisher": "online", "later": None}],
             ORACLE: [{"keys": 8}, {"keys": 8, "later": "new"}]}  # fmt: skip
    for method, both in given.items():
        for seed, arguments in enumerate(both):
            content = result("alpha", method, seed)
            content["config"]["arguments"] = arguments
            write(results, content)
    text = markdown(load_results([results]))
    assert "the mean is over runs that differ in the argument later (None; new)\n" in text
    assert text.count("differ in") == 1


def test_a_mean_over_runs_on_different_texts_or_weights_says_so(results):
    for seed, digit in enumerate("ab"):
        content = result("alpha", "ewc-frozen", seed)
        content["provenance"]["fingerprints"] = {"data": "order " + digit, "encoder": digit * 64}
        content["provenance"]["datasets"] = {
            "news": {"fingerprint": digit * 32},
            "same": {"fingerprint": "c"},
        }
        write(results, content)
        content = result("alpha", ORACLE, seed)
        content["provenance"]["fingerprints"] = {"data": digit * 32} if seed else {}
        write(results, content)
    text = markdown(load_results([results]))
    differ = "- EWC, frozen: the mean is over runs that differ in the fingerprint of the"
    assert f"{differ} encoder ({'a' * 12}; {'b' * 12})\n" in text
    assert f"{differ} data news ({'a' * 12}; {'b' * 12})\n" in text
    assert text.count("differ in") == 2  # not where older files do not say, nor where orders differ


def test_seconds_on_different_hardware_are_told_apart(results):
    here, there = {"processor": "CPU|one"}, {"processor": "CPU two", "gpu": "GPU"}
    machines = {"ewc-frozen": (here, there), ORACLE: (there, there), JOINT: (here, here), HOSTILE: (here, {})}
    for method, both in machines.items():
        for seed, machine in enumerate(both):
            content = result("gamma", method, seed)
            content["provenance"]["machine"] = machine
            write(results, content)
    runs = load_results([results])
    lines = [line for line in markdown(runs).splitlines() if "hardware" in line]
    assert lines == [
        "- Seconds of rows on different hardware do not compare: GPU (DKVB (oracle keys)); "
        "CPU\\|one (all others).",
        "- No seconds where runs are on different hardware: CPU\\|one and GPU (EWC, frozen).",
    ]
    seconds = comparison_table(runs).set_index("method")["seconds_total"]
    assert seconds.index[seconds.isna()].tolist() == ["ewc-frozen"]  # the mean of two kinds says nothing
    assert "hardware" not in markdown(runs, ["average_accuracy"])


def test_a_run_whose_loss_was_no_number_has_diverged(results):
    for seed in (0, 1):
        content = result("alpha", "ewc-frozen", seed, status="failed")
        content["error"] = "FloatingPointError: experience 1 of 2 (one), the loss is nan"
        write(results, content)
    content = result("alpha", ORACLE, 0, status="failed")
    content["error"] = "FloatingPointError: the loss is inf"
    write(results, content)
    frame = load_results([results])
    text = markdown(frame)
    row = cells(text, "EWC")[0]
    assert row[1] == "0 of 2"
    assert set(row[2:]) == {"diverged"}
    assert "- EWC, frozen, order 0, seed 1: diverged: FloatingPointError: experience 1 of 2" in text
    assert cells(text, "DKVB (oracle keys)")[0][1] == "1 of 2"
    assert "diverged" in csv(frame)


def test_text_from_files_does_nothing(results):
    title = "A\n# heading <script> `code` [link](x)"
    for method in METHODS:
        for seed in (0, 1):
            content = result("alpha", method, seed)
            content["config"]["title"] = title
            write(results, content)
    text = markdown(load_results([results]))
    assert "<img" not in text
    assert "<script" not in text
    assert "## A # heading &lt;script&gt; \\`code\\` \\[link\\](x)\n" in text.replace("\\#", "#")
    assert [len(row) for row in cells(text, "&lt;img")] == [11, 11, 7]


def test_the_tables_say_where_they_come_from_and_what_they_mean(frame):
    text = markdown(frame)
    assert (
        "Made from 16 result files: commit c0ffee · machine cores 2 · versions clbench 0.1, torch 2.9 · "
        "date 2026-01-01 to 2026-01-02." in text
    )
    assert "- BWT (%): mean over i < T of R[T, i] - R[i, i]." in text


def test_methods_above_joint_training_and_at_chance_have_a_line(tmp_path):
    joint, above, equal = ("alpha", "both", [0.7]), ("alpha", "above", [0.8]), ("alpha", "equal", [0.7])
    single = scored("alpha", "single", [0.9], single=True)
    guesses, learns = scored("alpha", "guesses", [0.33, 0.25]), scored("alpha", "learns", [0.33, 0.34])
    for content in (*guesses, *learns):  # of 100 texts, 25 of each class: 0.25 + 2 sqrt(0.25 * 0.75 / 100)
        content["config"]["columns"] = list("abcd")
        content["confusion"] = [[[[0, 0, 25], [1, 0, 25]], [[2, 0, 25], [3, 0, 25]]]] * 2
    frame = loaded(
        tmp_path, scored(*joint, joint=True), scored(*above), scored(*equal), single, guesses, learns
    )
    text = markdown(frame)
    assert "- At chance, no better than always answering one class: guesses.\n" in text
    assert "- Joint training is no upper bound here; above it: above.\n" in text
    assert "upper bound" not in markdown(
        loaded(tmp_path / "plain", scored(*joint, joint=True), scored(*equal))
    )


def test_a_section_fills_a_block_of_another_file(frame, tmp_path):
    (tmp_path / "table.md").write_text(markdown(frame), encoding="utf-8")
    block = "<!-- table table.md: Scenario alpha -->\n<!-- end -->\n"
    text = filled(block, tmp_path)
    assert filled(text, tmp_path) == text
    assert "65.0" in text
    assert text.rstrip().endswith("Result files of each row: [table.md](table.md).\n\n<!-- end -->")
    assert "order0-seed0.json" not in text
    assert "Scenario beta" not in text


def test_the_text_table_cannot_steer_the_terminal(tmp_path):
    content = result("alpha", "ewc-frozen", 0)
    content["config"]["method"] = "ewc\x1b[2J\nnext"
    write(tmp_path, content)
    text = text_table(load_results([tmp_path]))
    assert "\x1b" not in text
    assert "ewc�[2J next" in text
    assert "60.0" in text


def test_the_text_table_is_short_and_explains_its_marks(frame):
    text = text_table(frame)
    assert text.count("† reads data") == 2
    assert "seed 1: failed" not in text
    assert max(map(len, text.splitlines())) < 130


def test_small_negative_numbers_are_not_minus_zero():
    assert percent(-0.0001) == "0.0"


def test_the_examples_in_the_docstrings_are_right():
    found = doctest.testmod(render_markdown)
    assert (found.failed, found.attempted) == (0, 1)
    assert HOSTILE not in render_markdown.escaped(HOSTILE)
