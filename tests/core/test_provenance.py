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
        (["--wandb-key=abc", "--wandb-key", "abc"], ["--wandb-key=***", "--wandb-key", "***"]),
        (["WANDB_API_KEY=abc", "HF_TOKEN=abc"], ["WANDB_API_KEY=***", "HF_TOKEN=***"]),
        (["--server=https://h/x?page=1&token=abc&y=2"], ["--server=https://h/x?page=1&token=***&y=2"]),
        (
            ["--baseline.note", '{"api_key": "abc", "x": 1}'],
            ["--baseline.note", '{"api_key": "***", "x": 1}'],
        ),
        (["x wandb_v1_abcdefgh", "github_pat_11ABCDEFG"], ["x ***", "***"]),
        (["Authorization: Bearer abc; unknown key: x"], ["Authorization: Bearer ***; unknown key: x"]),
        (["--dir", "/home/me/my-secret-word/x"], ["--dir", "/home/me/***/x"]),
        (
            ["--baseline.keys", "64", "--baseline.keys=64", "--baseline.key-init=oracle", "--max-tokens=8"],
            ["--baseline.keys", "64", "--baseline.keys=64", "--baseline.key-init=oracle", "--max-tokens=8"],
        ),
    ],
)
def test_secrets_are_masked(words, shown):
    assert masked(words, {"MY_TOKEN": "my-secret-word", "API_KEY": "8", "PLACE": "/home/me"}) == shown


@pytest.mark.parametrize(
    ("place", "project", "added", "ours"),
    [
        ("site", None, False, False),  # as in a virtual environment
        ("vendor", "clbench", True, False),
        (".", "theirs", True, False),
        (".", "clbench", True, True),
    ],
)
def test_the_commit_of_an_enclosing_repository_is_not_ours(place, project, added, ours, tmp_path):
    package = tmp_path / place / "clbench"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    shutil.copy(provenance.__file__, package / "core")
    if project is not None:
        (package.parent / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    adding = [["add", "."]] if added else []
    for command in (["init", "-q"], *adding, ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *command], check=True)
    code = "from clbench.core import provenance; print(provenance.__file__, provenance._commit())"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True, env={})
    place, commit = found.stdout.split()
    assert Path(place).is_relative_to(tmp_path)
    assert (commit != "None") == ours
