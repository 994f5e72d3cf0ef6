"""Sentences and texts of a page that depend on the data and the machines at hand."""

from support.site_results import HOSTILE, write_result

from clbench.cli import main
from clbench.data.examples import example_texts
from clbench.reporting.load import load_results
from clbench.reporting.site import write_page


def test_a_scenario_shows_texts_of_its_experiences_as_text(tmp_path):
    write_result(tmp_path / "runs", "news", "ewc-frozen", 0)
    asked = []

    def examples(scenario, order):
        asked.append((scenario, order))
        return {"part 2": [("crude", HOSTILE)], "part 9": [("earn", "of no experience")]}

    write_page(load_results([tmp_path / "runs"]), tmp_path / "out", examples=examples)
    (page,) = (tmp_path / "out" / "scenarios").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert asked == [("news", "0")]
    assert "<h3>2 part 2</h3>" in text
    assert "&lt;img src=x" in text
    assert "<img" not in text
    assert "of no experience" not in text


def test_a_report_with_the_data_folder_shows_the_texts_and_without_it_none(tmp_path, capsys):
    line = ["run", "--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", "tiny"]
    line += ["--train-per-class", "4", "--test-per-class", "4", "--max-tokens", "8"]
    runs, found = str(tmp_path / "runs"), {}
    assert main([*line, "--results", runs]) == 0
    for name, more in (("with", ["--data-dir", str(tmp_path)]), ("without", [])):
        assert main(["report", runs, "--out", str(tmp_path / name), "--no-figures", *more]) == 0
        found[name] = (tmp_path / name / "scenarios" / "pydocs-cil.html").read_text(encoding="utf-8")
    texts = example_texts("pydocs-cil")
    assert list(texts)
    for name in texts:
        assert f" {name}</h3>" in found["with"]
    assert "Some of their texts" not in found["without"]


def test_a_page_says_where_runs_of_different_machines_have_seconds_that_do_not_compare(tmp_path):
    write_result(tmp_path / "runs", "news", "ewc-frozen", 0)
    write_result(tmp_path / "runs", "mail", "ewc-frozen", 0)
    frame = load_results([tmp_path / "runs"])
    machine = {"system": "Linux", "processor": "X", "cores": 16}
    for at, more in enumerate(({"gpu": "H200"}, {})):
        frame.at[at, "provenance"] = {**frame.at[at, "provenance"], "machine": machine | more}
    write_page(frame, tmp_path / "out")
    assert "different machines (H200; X with 16 cores)" in (tmp_path / "out" / "index.html").read_text(
        encoding="utf-8"
    )
    for page in (tmp_path / "out" / "scenarios").glob("*.html"):
        assert "different machines" not in page.read_text(encoding="utf-8")
