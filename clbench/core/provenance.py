"""The provenance of a result: commit, versions, machine and command."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

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
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "fingerprints": dict(fingerprints),
    }


@functools.cache
def _commit() -> str | None:
    """The commit of the source tree that this code runs from, ``-dirty`` if it was changed; else None.

    A process asks once: what is committed later is not what it runs.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
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
