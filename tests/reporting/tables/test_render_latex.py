"""The comparison as LaTeX, compiled by pdflatex."""

import doctest
import shutil
import subprocess

import pytest
from support.result_files import close, scored, write, write_all

from clbench.reporting.load import load_results
from clbench.reporting.tables import render_latex
from clbench.reporting.tables.render import latex

PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
\input{table}
\end{document}
"""
NAMES = [
    "[bracket",
    "*star",
    r"\input{/etc/passwd} $x^2$ 100% #1 a_b & c~d",
    "}{ unbalanced \\",
    "中文 é ñ ß \N{GRINNING FACE} – … ±",  # noqa: RUF001
    "--dashes--- ^^M % comment",
    "\"quotes' `back` <less> |bar|",
]


@pytest.fixture
def frame(tmp_path):
    folder = write_all(tmp_path / "runs")
    for place, name in enumerate(NAMES):
        notes = ["future", "task-id-oracle", f"differs: {name}", name]
        # Folders are named by place: not every one of these is a name for a folder.
        for content in scored("alpha", name, [0.1, 0.2], notes=notes, title=f"Title {NAMES[2]}"):
            write(folder / str(place), content)
    return load_results([folder])


def compiled(text, folder):
    """The text of the page that pdflatex makes."""
    folder.mkdir()
    (folder / "page.tex").write_text(PAGE, encoding="utf-8")
    (folder / "table.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    command = ["pdftotext", "-layout", "page.pdf", "-"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


needs_latex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftotext")),
    reason="needs pdflatex (texlive-latex-recommended) and pdftotext (poppler-utils)",
)


@pytest.mark.slow
@needs_latex
def test_hostile_names_compile_and_are_read(frame, tmp_path):
    text = compiled(latex(frame), tmp_path / "page")
    # The font has no underscore: it is a line that pdftotext does not see.
    for part in ("[bracket", "*star", "100% #1 a b & c", "}{ unbalanced \\", "[U+4E2D]", "<less> |bar|"):
        assert part in text
    assert "--dashes--- " in text
    assert "M % comment" in text
    assert "/etc/passwd" in text  # as text
    assert "root:" not in text
    assert "§ is told" in text
    assert "↑ joint training on all experiences at once." in text


@pytest.mark.slow
@needs_latex
def test_a_wide_table_with_all_columns_compiles(frame, tmp_path):
    text = compiled(latex(frame, ["average_accuracy", "fwt", "peak_bytes_rss", "bwt"]), tmp_path / "page")
    assert "65.0" in text
    assert "−25.0" in text  # noqa: RUF001  # a minus


def test_rows_name_their_files_and_the_best_is_bold(frame, tmp_path):
    lines = latex(frame, relative_to=tmp_path / "out").splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith("DKVB (oracle keys)"))
    assert lines[place - 1] == (
        "% files: ../runs/alpha/tiny/dkvb-np-oracle/order0-seed0.json; "
        "../runs/alpha/tiny/dkvb-np-oracle/order0-seed1.json"
    )
    assert r"& \textbf{85.0} &" in lines[place]
    assert lines.count(r"\toprule") == lines.count(r"\bottomrule") == 3
    near = latex(close(tmp_path / "close")).splitlines()
    assert any(line.startswith("Underlined: not significantly worse") for line in near)
    assert any(r"\underline{82.3 {\scriptsize {[}80.0, 85.0{]}}}" in line for line in near)


def test_a_path_cannot_leave_its_comment(tmp_path):
    for content in scored("alpha", "mine", [0.1]):
        write(tmp_path / "a\n\\bad", content)
    text = latex(load_results([tmp_path]), relative_to=tmp_path)
    (line,) = (line for line in text.splitlines() if "bad" in line)
    assert line.startswith("% files: a \\bad/alpha")


def test_the_examples_in_the_docstrings_are_right():
    assert doctest.testmod(render_latex).failed == 0
