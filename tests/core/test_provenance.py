"""What a result says of its origin: no secrets, and no commit of another repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clbench.core import provenance
from clbench.core.provenance import masked


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--lr", "0.1", "--max-tokens", "64"], ["--lr", "0.1", "--max-tokens", "64"]),
        (["--token", "abc", "--seed", "1"], ["--token", "***", "--seed", "1"]),
        (["--hf-token=abc"], ["--hf-token=***"]),
        (["--baseline.api_key", "abc"], ["--baseline.api_key", "***"]),
        (["--password", "p w"], ["--password", "***"]),
        (["--server", "https://me:secret@host/x"], ["--server", "https://***@host/x"]),
        (["x", "hf_abcdefghij"], ["x", "***"]),
        (["ghp_" + "a" * 36, "0123456789" * 4], ["***", "***"]),
        (["--token", "--seed", "1"], ["--token", "--seed", "1"]),
    ],
)
def test_secrets_are_masked(words, shown):
    assert masked(words) == shown


def test_the_commit_of_an_enclosing_repository_is_not_ours(tmp_path):
    """A copy of the package in a repository that does not know it, as in a virtual environment."""
    package = tmp_path / "site" / "clbench"
    shutil.copytree(
        Path(provenance.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *command], check=True)
    code = "from clbench.core import provenance; print(provenance.__file__, provenance._commit())"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True, env={})
    place, commit = found.stdout.split()
    assert Path(place).is_relative_to(tmp_path)
    assert commit == "None"
