"""Which runs are of one kind of hardware."""

import doctest

import pandas as pd

from clbench.reporting import hardware
from clbench.reporting.hardware import on_several


def test_the_examples():
    found = doctest.testmod(hardware)
    assert (found.failed, found.attempted > 0) == (0, True)


def test_only_finished_runs_whose_files_say_it_count():
    gpu, cpu, unknown = {"machine": {"gpu": "G"}}, {"machine": {"processor": "P"}}, {}
    given = {
        "both": [(gpu, "done"), (cpu, "done")],
        "one": [(cpu, "done"), (cpu, "done")],
        "failed": [(gpu, "failed"), (cpu, "done")],
        "older": [(unknown, "done"), (cpu, "done")],
    }
    runs = pd.DataFrame(
        {"scenario": "s", "encoder": "e", "method": method, "status": status, "provenance": source}
        for method, pairs in given.items()
        for source, status in pairs
    )
    assert on_several(runs).tolist() == [True, True, *[False] * 6]
    assert not on_several(runs.assign(encoder=range(8))).any()
