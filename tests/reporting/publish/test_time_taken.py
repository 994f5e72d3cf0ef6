"""The hours of runs and searches, by phase."""

import json

from support.result_files import result, write

from clbench.reporting.load import load_results
from clbench.reporting.publish.time_taken import time_taken


def runs(folder, wall):
    for seed in (0, 1):
        content = result("alpha", "ewc-frozen", 0)
        content["config"] |= {"seed": seed}
        content["costs"] |= {"wall_seconds": wall}
        content["costs"]["seconds"] |= {
            "train": 3600.0,
            "validate": 0.0,
            "consolidate": 360.0,
            "evaluate": 1800.0,
        }
        write(folder, content)
    return load_results([folder])


def hours(text):
    lines = [line.strip("| ").rsplit("|", 1) for line in text.splitlines()[2:]]
    return {name.strip(): float(number) for name, number in lines}


def test_phases_and_the_rest_and_searches_add_up(tmp_path):
    frame = runs(tmp_path, 2 * 3600.0)
    for method, trials in (("a", [3600.0, 1800.0]), ("b", [720.0])):
        (tmp_path / method).mkdir()
        (tmp_path / method / "search.json").write_text(
            json.dumps({"trials": [{"seconds": each} for each in trials]})
        )
    assert hours(time_taken(frame, tmp_path)) == {
        "training, 2 runs": 2.0,
        "validation, 2 runs": 0.0,
        "consolidation, 2 runs": 0.2,
        "evaluation, 2 runs": 1.0,
        "encoding and keys, where no earlier run had made them, and loading": 0.8,
        "2 searches, 3 trials": 1.7,
        "all": 5.7,
    }


def test_a_broken_search_counts_nothing_and_runs_without_times_have_no_table(tmp_path):
    frame = runs(tmp_path, 3600.0)
    (tmp_path / "search.json").write_text("{")
    assert "trials" not in time_taken(frame, tmp_path)
    assert time_taken(runs(tmp_path / "none", None), tmp_path) == ""
