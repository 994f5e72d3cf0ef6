"""Compares two folders of result files: ``python tests/support/compare_results.py BEFORE AFTER``.

Equal means: the same runs with the same content, except for times, memory peaks, versions, machine, command
and notes. Files of earlier schemas are migrated first.
"""

import json
import sys
from pathlib import Path
from typing import Any

from clbench.core.result_schema import migrated

IGNORED = {"provenance", "wall_seconds", "seconds", "peak_bytes", "notes"}


def comparable(value: Any) -> Any:
    """``value`` without what differs between two executions of one run."""
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items() if key not in IGNORED}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value


def read(folder: Path) -> dict[str, Any]:
    paths = sorted(folder.rglob("order*-seed*.json"))
    contents = {path.relative_to(folder).as_posix(): migrated(json.loads(path.read_text())) for path in paths}
    for content in contents.values():
        content["fingerprints"] = content["provenance"]["fingerprints"]
    return {name: comparable(content) for name, content in contents.items()}


def differences(before: Path, after: Path) -> list[str]:
    """One line per run or top-level key that differs."""
    first, second = read(before), read(after)
    lines = [f"{name}: only in one of both" for name in sorted(first.keys() ^ second.keys())]
    for name in sorted(first.keys() & second.keys()):
        keys = first[name].keys() | second[name].keys()
        lines += [f"{name}: {key}" for key in sorted(keys) if first[name].get(key) != second[name].get(key)]
    return lines


if __name__ == "__main__":
    found = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(found) or f"{len(read(Path(sys.argv[1])))} result files are equal")
    sys.exit(1 if found else 0)
