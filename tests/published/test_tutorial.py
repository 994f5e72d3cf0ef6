"""The tutorial works as it is written: its files and commands, in order, end in the table it promises."""

import re
import runpy
import shlex

import pytest
from support.committed_reports import ROOT

from clbench.cli import main
from clbench.reporting.load import load_results

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def carry_out(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "python":
        runpy.run_path(words[0])
    else:
        assert program == "clbench"
        assert main(words) == 0, line


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_its_files_and_commands_end_in_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for language, content in BLOCKS:
        if language:
            name = content.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(content, encoding="utf-8")
        else:
            for line in content.splitlines():
                carry_out(line)
    said = capsys.readouterr().out
    assert "3  press+product       16           2     6  press, product" in said
    frame = load_results(tmp_path / "runs" / "three")
    assert frame.groupby("method").size().to_dict() == {
        "finetune-frozen": 3,
        "finetune-frozen-joint": 3,
        "interpolation-frozen": 3,
        "ncm": 3,
        "replay-frozen-capacity=12": 3,
    }
    assert set(frame["status"]) == {"done"}
    table = (tmp_path / "runs" / "three" / "report" / "compare" / "table.md").read_text(encoding="utf-8")
    assert re.search(r"^\| Interpolation +\| +3 \|", table, re.MULTILINE)
    assert (tmp_path / "runs" / "report" / "table.md").exists()
