"""The provenance of a result: commit, versions, machine and command."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_WORD = r"(?:token|passw(?:or)?d|passphrase|secret|credentials?|auth(?:orization)?|api[-_]?key|(?<=[-_.])key)"
_NAME = re.compile(rf"(?i)(?:^|[-_.\W]){_WORD}$|(?:token|passw(?:or)?d|secret|api[-_]?key)$")
"""What ends the name of an option or variable whose value is a secret."""
_VALUE = re.compile(
    rf"(?i)(\b[\w.-]*?(?<![^\W_]){_WORD}[\"']?\s*[=:]\s*[\"']?(?:(?:Bearer|Basic)\s+)?)[^\s&;,\"'}})]+"
)
"""The same with its value, within a text."""
_USER = re.compile(r"(\w+://)[^/@\s]+@")
"""A user, and a password, in an address."""
_KEY = re.compile(
    r"\b(hf_\w{8,}|gh[pousr]_\w{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|sk-[\w-]{8,}|wandb_\w{8,}"
    r"|AKIA\w{8,}|[0-9a-f]{40})\b"
)
"""Keys of the Hugging Face Hub, GitHub, GitLab, OpenAI, W&B and AWS."""
_SHORTEST = 6
"""Characters of the value of a variable that is taken for a secret: a shorter one may be any word."""
PACKAGES = ("clbench", "torch", "lightning", "transformers", "datasets", "numpy")


def provenance(fingerprints: Mapping[str, str], threads: int, gpu: str | None) -> dict[str, Any]:
    """Where a result comes from: commit, versions, machine, command, date, and the given fingerprints."""
    return {
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {
            "system": platform.system(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": threads,
            **({} if gpu is None else {"gpu": gpu}),
        },
        "command": " ".join([Path(sys.argv[0]).name, *masked(sys.argv[1:])]),
        "fingerprints": dict(fingerprints),
    }


def masked(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """The words of a command line with ``***`` for what may be a secret.

    That is the value of an option whose name speaks of one, and what :func:`without_secrets` masks.

    Example:
        >>> masked(["--api-key", "abc", "--server=https://me:pass@host/x", "--token=abc"])
        ['--api-key', '***', '--server=https://***@host/x', '--token=***']
    """
    found, hidden = [], False
    for word in words:
        name, equals, value = word.partition("=")
        named = bool(_NAME.search(name))
        if hidden and not word.startswith("--"):
            found.append("***")
        elif named and equals and value:
            found.append(f"{without_secrets(name, environment)}=***")
        else:
            found.append(without_secrets(word, environment))
        hidden = named and not equals and word.startswith("--")
    return found


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """``text`` with ``***`` for what may be a secret.

    That is the value of a variable of ``environment`` whose name speaks of one, the user and password in an
    address, what looks like a key of a known service, and the value after a name such as ``token=``.

    Example:
        >>> without_secrets("401 for https://host/x?user=1&token=abc&page=2")
        '401 for https://host/x?user=1&token=***&page=2'
    """
    secrets = {value for name, value in environment.items() if _NAME.search(name) and len(value) >= _SHORTEST}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _VALUE.sub(r"\1***", _KEY.sub("***", _USER.sub(r"\1***@", text)))


@functools.cache
def _commit() -> str | None:
    """The commit of the source tree that this code runs from, ``-dirty`` if it was changed; else None.

    A repository that encloses the code is not that of the code: neither where it does not know these files,
    nor where somebody added a copy of them to a project of their own.

    A process asks once: what is committed later is not what it runs.
    """
    place = Path(__file__).resolve()
    root = place.parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout.strip()

    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        if project != PACKAGES[0] or Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None
        git("ls-files", "--error-unmatch", str(place.relative_to(root)))
        commit = git("rev-parse", "HEAD")
        return commit + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, ValueError, LookupError, subprocess.CalledProcessError):
        return None


@functools.cache
def _processor() -> str:
    """The processor's name; ``platform.processor`` is empty on most Linux systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
