"""What belongs to the repository is not ignored by Git."""

import shutil
import subprocess

import pytest
from support.committed_reports import ROOT

KINDS = {".py", ".js", ".css", ".jinja", ".yaml", ".md", ".txt", ".bib", ".typed"}


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no Git repository")
def test_no_source_file_is_ignored():
    folders = [ROOT / name for name in ("clbench", "baselines", "experiments", "tests", "docs")]
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in KINDS]
    assert len(paths) > 400
    names = "\n".join(path.relative_to(ROOT).as_posix() for path in paths)
    line = ["git", "check-ignore", "--no-index", "--stdin"]  # also of files that Git has already
    asked = subprocess.run(line, cwd=ROOT, input=names, capture_output=True, text=True)
    assert asked.stdout.splitlines() == []
