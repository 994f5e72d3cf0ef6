"""How bad inputs are answered, by kind: ``PYTHONPATH=tests python -m support.bad_inputs.table [GROUP]``."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from support.bad_inputs.declared import of_command_lines, of_files, of_methods
from support.bad_inputs.recorded import recorded
from support.bad_inputs.written import of_commands, of_experiments, of_results
from tabulate import tabulate

SOURCES = (of_command_lines, of_methods, of_files, of_experiments, of_results, of_commands, recorded)


def every(group: str = ""):
    """All bad inputs, or those of the groups that begin with ``group``."""
    return [case for source in SOURCES for case in source() if case.group.startswith(group)]


def main(group: str = "") -> None:
    """Runs them, names those with a wrong answer, and prints the counts."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for case in every(group):
        with tempfile.TemporaryDirectory() as folder:
            problems = case.problems(Path(folder))
        (wrong if problems else right)[case.group] += 1
        if problems:
            print(f"{case}: {', '.join(problems)}", flush=True)
    groups = list(dict.fromkeys([*right, *wrong]))
    rows = [[each, right[each], wrong[each]] for each in groups]
    print(tabulate([*rows, ["all", right.total(), wrong.total()]], ["kind", "right", "wrong"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
