"""The files of a report."""

import subprocess
import sys

import pytest
from support.result_files import result, write

from clbench.cli import main
from clbench.cli.report import show
from clbench.core.errors import UserError
from clbench.reporting.load import load_results
from clbench.reporting.publish.report import write_report
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.render import csv, html, latex, markdown


def test_the_tables_of_a_report_are_those_of_the_renderers(results, tmp_path):
    out = tmp_path / "deep" / "out"
    paths = write_report(load_results([results]), out)
    assert sorted(out.iterdir()) == sorted(paths)
    names = [path.name for path in paths[:5]]
    assert names == ["table.md", "table.csv", "table.tex", "table.html", "summary.csv"]
    frame = load_results([results])
    for path, renderer in zip(paths, (markdown, csv, latex, html), strict=False):
        assert path.read_text(encoding="utf-8") == renderer(frame, relative_to=out)
    assert all(path.suffix in (".svg", ".pdf", ".png") for path in paths[5:])


def test_no_file_of_tables_names_a_folder_of_this_machine(results, tmp_path):
    for path in write_report(load_results([results]), tmp_path / "out")[:5]:
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_columns_are_those_of_every_table(results, tmp_path):
    for path in write_report(load_results([results]), tmp_path / "out", columns=["forgetting"])[:4]:
        text = path.read_text(encoding="utf-8").lower()
        assert "forgetting" in text
        assert "bwt" not in text


def test_one_scenario_has_no_summary(tmp_path):
    write(tmp_path / "runs", result("alpha", "ewc-frozen", 0))
    write_report(load_results([tmp_path / "runs"]), tmp_path / "out")
    assert not (tmp_path / "out" / "summary.csv").exists()


def test_nothing_is_written_if_a_file_is_no_result_or_a_column_is_unknown(results, tmp_path):
    with pytest.raises(UserError, match="unknown table column 'accuracy'"):
        write_report(load_results([results]), tmp_path / "out", columns=["accuracy"])
    (results / "order0-seed9.json").write_text("{")
    with pytest.raises(UserError):
        write_report(load_results([results]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_needs_neither_torch_nor_pyplot(results, tmp_path):
    code = (
        "import sys; from pathlib import Path; from clbench.reporting.load import load_results;"
        "from clbench.reporting.publish.report import write_report;"
        "write_report(load_results([Path(sys.argv[1])]), Path(sys.argv[2]));"
        "print([name for name in ('torch', 'lightning', 'transformers', 'matplotlib.pyplot') "
        "if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(results), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_report_of_many_runs_has_tables_alone_unless_more_is_asked_for(
    results, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("clbench.cli.report.MANY", 3)
    out = tmp_path / "out"
    line = ["report", str(results), "--out", str(out), "--columns", "forgetting"]
    assert main(line) == 0
    assert sorted(path.suffix for path in out.iterdir()) == [".csv", ".csv", ".html", ".md", ".tex"]
    assert "of 16 runs, figures and the page are made with --figures --page" in capsys.readouterr().out
    assert main([*line, "--page"]) == 0
    assert (out / "index.html").exists()
    assert not list(out.glob("*.svg"))
    assert main([*line, "--figures"]) == 0
    assert list(out.glob("*.svg"))
    assert "files of figures" in capsys.readouterr().out


def test_the_comparison_is_made_once(results, tmp_path, monkeypatch):
    made = []

    def counted(frame):
        made.append(len(frame))
        return comparison_table(frame)

    monkeypatch.setattr("clbench.reporting.tables.comparison.comparison_table", counted)
    for module in ("tables.document", "site.site"):
        monkeypatch.setattr(f"clbench.reporting.{module}.comparison_table", counted)
    show(load_results([results]), tmp_path / "out", figures=False, page=True)
    assert made == [16]
