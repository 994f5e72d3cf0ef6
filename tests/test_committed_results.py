"""What is committed under results/ follows from the result files there, and is up to date."""

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from clbench.experiment import find_experiment
from clbench.reporting.index import index
from clbench.reporting.load import load_results
from clbench.reporting.plots import stream_accuracy_figure
from clbench.reporting.plots.canvas import save
from clbench.reporting.render import csv, markdown

RESULTS = Path(__file__).parents[1] / "results"
SMALL = RESULTS / "small"


def single_head():
    methods = sorted(path.name for path in (SMALL / "r52-cil/minilm").iterdir())
    return load_results(
        [SMALL / name / "minilm" / each for name in ("r8-cil", "r52-cil") for each in methods]
    )


def main():
    return load_results([SMALL / name for name in ("dsc-dil", "20ng-cil", "glue4-til")])


def keys():
    methods = SMALL / "r8-cil/minilm"
    first = "order0-seed0.json"  # the other seeds are single_head's
    return load_results([*methods.glob(f"dkvb-*/{first}"), methods / "finetune-frozen" / first])


def quick():
    return load_results(sorted((RESULTS / "quick").glob("pydocs-*")))


REPORTS = {
    "small/report/main": main,
    "small/report/runtime": main,
    "small/report/keys": keys,
    "small/report/single_head": single_head,
    "small/report/cost": single_head,
    "small/report/architecture": lambda: load_results([SMALL / "r8-iid"]),
    "quick/report/main": quick,
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_tables_are_those_of_the_result_files(name):
    report = RESULTS / name
    frame, columns = REPORTS[name](), find_experiment(report.name).table
    assert (report / "table.md").read_text() == markdown(frame, columns, relative_to=report)
    # Unrounded, the last digit may be another on another processor.
    committed = pd.read_csv(report / "table.csv")
    made = pd.read_csv(StringIO(csv(frame, columns, relative_to=report)))
    pd.testing.assert_frame_equal(committed, made, rtol=1e-9)


def test_the_picture_in_the_readme_is_that_of_the_result_files(tmp_path):
    svg, _ = save(stream_accuracy_figure(single_head()), tmp_path / "stream_accuracy")
    assert svg.read_bytes() == (SMALL / "report/single_head/stream_accuracy.svg").read_bytes()


def test_the_readme_of_the_results_is_that_of_the_result_files():
    assert (RESULTS / "README.md").read_text() == index(load_results([SMALL]), RESULTS), (
        "clbench report results/small --index results/README.md brings it up to date"
    )


def test_no_result_file_names_a_folder_of_the_machine_that_made_it():
    for path in RESULTS.glob("*/*/*/*/order*.json"):
        command = json.loads(path.read_text())["provenance"]["command"]
        assert not [word for word in command.split() if word.startswith("/")], path
