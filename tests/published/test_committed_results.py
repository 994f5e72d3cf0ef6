"""What is committed under results/ follows from the result files there, and is up to date."""

import re
from io import StringIO

import pandas as pd
import pytest
from support.committed_reports import REPORTS, RESULTS, SMALL, main, results_index, single_head

from clbench.reporting.figures import accuracy_cost_figure, stream_accuracy_figure
from clbench.reporting.figures.canvas import save
from clbench.reporting.tables.render import csv, markdown
from clbench.studies.experiment import find_experiment


@pytest.mark.parametrize("name", REPORTS)
def test_the_tables_are_those_of_the_result_files(name):
    report = RESULTS / name
    frame, columns = REPORTS[name](), find_experiment(report.name).table
    assert (report / "table.md").read_text() == markdown(frame, columns, relative_to=report)
    # Unrounded, the last digit may be another on another processor.
    committed = pd.read_csv(report / "table.csv")
    made = pd.read_csv(StringIO(csv(frame, columns, relative_to=report)))
    pd.testing.assert_frame_equal(committed, made, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "load", "draw"),
    [
        ("main/accuracy_cost", main, accuracy_cost_figure),
        ("single_head/stream_accuracy", single_head, stream_accuracy_figure),
    ],
)
def test_the_pictures_in_the_readme_are_those_of_the_result_files(name, load, draw, tmp_path):
    svg, _ = save(draw(load()), tmp_path / "picture")
    assert svg.read_bytes() == (SMALL / "report" / f"{name}.svg").read_bytes()
    assert f"results/small/report/{name}.svg" in (RESULTS.parent / "README.md").read_text()


def test_the_readme_of_the_results_is_that_of_the_result_files():
    assert (RESULTS / "README.md").read_text() == results_index(), "make results brings it up to date"


def test_no_result_file_names_a_folder_of_the_machine_that_made_it():
    paths = list(RESULTS.rglob("order*-seed*.json"))
    assert len(paths) > 300
    for path in paths:
        assert not re.search(r'["\s=](/|~|[A-Z]:\\)\w', path.read_text()), path
