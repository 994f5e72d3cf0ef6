"""The provenance of a result: commit, versions, machine and command."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(?i)(token$|passw|passphrase|secret|credential|api[-_]?key|access[-_]?key|auth)")
"""Words in the name of an option whose value is a secret."""
_USER = re.compile(r"(\w+://)[^/@\s]+@")
"""A user, and a password, in an address."""
_KEY = re.compile(r"\b(hf_\w{8,}|gh[pousr]_\w{8,}|sk-[\w-]{8,}|AKIA\w{8,}|[0-9a-f]{40})\b")
"""Keys of the Hugging Face Hub, GitHub, OpenAI, AWS and W&B."""
PACKAGES = ("clbench", "torch", "lightning", "transformers", "datasets", "numpy")


def provenance(fingerprints: Mapping[str, str], threads: int) -> dict[str, Any]:
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
        },
        "command": " ".join([Path(sys.argv[0]).name, *masked(sys.argv[1:])]),
        "fingerprints": dict(fingerprints),
    }


def masked(words: Sequence[str]) -> list[str]:
    """The words of a command line with ``***`` for what may be a secret.

    That is the value of an option whose name speaks of one, the user and password in an address, and what
    looks like a key of a known service.

    Example:
        >>> masked(["--api-key", "abc", "--server=https://me:pass@host/x", "--token=abc"])
        ['--api-key', '***', '--server=https://***@host/x', '--token=***']
    """
    found, hidden = [], False
    for word in words:
        name, equals, value = word.partition("=")
        named = bool(_SECRET.search(name))
        if hidden and not word.startswith("--"):
            found.append("***")
        elif named and equals and value:
            found.append(f"{name}=***")
        else:
            found.append(_KEY.sub("***", _USER.sub(r"\1***@", word)))
        hidden = named and not equals and word.startswith("--")
    return found


@functools.cache
def _commit() -> str | None:
    """The commit of the source tree that this code runs from, ``-dirty`` if it was changed; else None.

    A repository that only encloses an installed copy is not that of this code.

    A process asks once: what is committed later is not what it runs.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "--error-unmatch", Path(__file__).name):
            return None
        commit = git("rev-parse", "HEAD")
        return commit + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
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
