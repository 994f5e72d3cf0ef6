"""What runs survive: ``PYTHONPATH=tests python -m support.faults.table [--kills N] [--only TEXT]``.

Kills of runs at random points, other faults, and with ``--inputs`` the bad inputs as well, in one table. The
exit status is 0 if all is right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from support.faults import scene
from support.faults.disks import DISKS
from support.faults.kills import killed
from support.faults.stops import STOPS
from tabulate import tabulate

FAULTS = {**STOPS, **DISKS}


def main() -> int:
    """Injects faults, names what went wrong, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="faults with this in their name")
    options = parser.parse_args()
    scene.preload()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for each in killed(Path(folder), options.kills, options.seed) if options.kills else ():
            note = f"{each.runs} runs, {each.within} kills within an experience"
            rows.append([f"kill -9, {each.method}", each.kills, len(each.problems), note])
            _tell(rows[-1], each.problems)
        for name, fault in FAULTS.items():
            if options.only and not any(each in name for each in options.only):
                continue
            began = time.monotonic()
            try:
                problems = fault(scene.Scene(Path(folder) / "fault"))
            except Exception as error:
                problems = [f"{type(error).__name__}: {error}"]
            rows.append([name, 1, len(problems), f"{time.monotonic() - began:.0f} s"])
            _tell(rows[-1], problems)
    print(tabulate(rows, ["fault", "times", "wrong", "note"]))
    wrong = sum(bool(row[2]) for row in rows)
    print(f"{len(rows)} kinds of faults, {wrong} not survived")
    return int(wrong > 0)


def _tell(row: list[object], problems: list[str]) -> None:
    print(f"{'wrong' if problems else 'right'}: {row[0]} ({row[3]})", flush=True)
    for each in problems:
        print(f"    {each}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
