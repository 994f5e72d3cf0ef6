"""What belongs to the repository is not ignored by Git, and nothing large is in it."""

import shutil
import subprocess

import pytest
from support.committed_reports import ROOT

KINDS = {".py", ".js", ".css", ".jinja", ".yaml", ".md", ".txt", ".bib", ".typed"}


LARGEST = 1_000_000
"""Bytes of a file; the results have a limit of their own for all of them."""
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no Git repository"
)


def test_no_source_file_is_ignored():
    folders = [ROOT / name for name in ("clbench", "baselines", "experiments", "tests", "docs")]
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in KINDS]
    assert len(paths) > 400
    names = "\n".join(path.relative_to(ROOT).as_posix() for path in paths)
    line = ["git", "check-ignore", "--no-index", "--stdin"]  # also of files that Git has already
    asked = subprocess.run(line, cwd=ROOT, input=names, capture_output=True, text=True)
    assert asked.stdout.splitlines() == []


def test_no_large_file_is_committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(paths) > 400
    assert [path for path in paths if path.exists() and path.stat().st_size > LARGEST] == []
