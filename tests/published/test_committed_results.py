"""What is committed under results/ follows from the result files there, and is up to date."""

import json
import re
from io import StringIO

import pandas as pd
import pytest
from matplotlib.figure import Figure
from support.committed_reports import (
    INDEXED,
    REPORTS,
    RESULTS,
    ROOT,
    gaps,
    on_cores,
    pages,
    quick,
    results_index,
    single_head,
    values,
    with_gaps,
)

from clbench.core.result import RunResult
from clbench.core.result_paths import result_paths, result_text, search_paths
from clbench.reporting import accuracy_cost_figure, learning_rate_figure, stream_accuracy_figure
from clbench.reporting.figures.bits import bits_cost_figure
from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.choice import leading
from clbench.reporting.figures.critical import critical_difference_figure
from clbench.reporting.figures.growth import growth_figure
from clbench.reporting.figures.memory import memory_figure
from clbench.reporting.figures.styles import line_styles
from clbench.reporting.tables.render import csv, markdown
from clbench.studies.experiment import find_experiment

FAST = "small/report/single_head"
TABLES = [name if name == FAST else pytest.param(name, marks=pytest.mark.slow) for name in REPORTS]


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_of_the_result_files(name):
    report = RESULTS / name
    frame, columns = REPORTS[name](), find_experiment(report.name).table
    assert (report / "table.md").read_text() == markdown(frame, columns, relative_to=report)
    # Unrounded, the last digit may be another on another processor.
    committed = pd.read_csv(report / "table.csv")
    made = pd.read_csv(StringIO(csv(frame, columns, relative_to=report)))
    pd.testing.assert_frame_equal(committed, made, rtol=1e-9)


def first_scenario(frame: pd.DataFrame) -> Figure:
    few = leading(frame)
    return accuracy_cost_figure(few[few["scenario"] == "pydocs-cil"], whole=frame)


def costs(frame: pd.DataFrame) -> Figure:
    return accuracy_cost_figure(leading(frame), whole=frame)


def curves(frame: pd.DataFrame) -> Figure:
    return stream_accuracy_figure(leading(frame), whole=frame)


def differences(frame: pd.DataFrame) -> Figure:
    return critical_difference_figure(frame, line_styles(frame))


def bits(frame: pd.DataFrame) -> Figure:
    return bits_cost_figure(leading(frame), whole=frame)


PICTURES = {
    "full/report/frozen/critical_difference": (lambda: values("full"), differences),
    "small/report/runtime/accuracy_cost": (on_cores, costs),
    "small/report/single_head/stream_accuracy": (single_head, curves),
    "few/report/values/learning_rate": (lambda: values("few"), learning_rate_figure),
    "rates/report/trained_rates/learning_rate": (lambda: values("rates"), learning_rate_figure),
    "generative/report/generative/bits_cost": (lambda: values("generative"), bits),
    "quick/report/main/accuracy_cost-pydocs-cil-minilm": (quick, first_scenario),
    "memory/report/memory/memory": (lambda: values("memory"), memory_figure),
    "long_streams/report/long_streams/growth": (lambda: values("long_streams"), growth_figure),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_on_the_pages_are_those_of_the_result_files(name, tmp_path):
    load, draw = PICTURES[name]
    svg, _ = save(draw(load()), tmp_path / "picture")
    assert svg.read_bytes() == (RESULTS / f"{name}.svg").read_bytes()


def test_every_picture_on_a_page_is_one_of_these():
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    shown = {name for text in texts for name in re.findall(r"!\[.*?\]\((?:\.\./)?results/(.+?)\.svg\)", text)}
    assert shown == set(PICTURES)


def test_each_default_that_is_far_from_its_tuned_value_has_a_line_that_says_why():
    page = (ROOT / "docs" / "measured-results.md").read_text(encoding="utf-8")
    assert page.count("<!-- defaults against tuned -->") == 1
    assert with_gaps(page) == page, "make results brings it up to date"
    reasons = page.partition("more than three points behind:")[2].partition("The defaults of")[0]
    numbers = gaps()
    far = (numbers["tuned"] - numbers["default"]).max(axis=1) > 3
    named = set(re.findall(r"`(\w+)`", reasons)) - {"fill"}
    assert named == {method.partition("-")[0] for method in far.index[far]}


def test_a_run_has_what_the_search_beside_it_chose():
    searches = search_paths(RESULTS)
    assert len(searches) > 300
    for path in searches:
        choice = json.loads(result_text(path)).get("choice")  # none yet where it goes on
        for run in result_paths(path.parent):
            config = json.loads(result_text(run))["config"]
            made_with = {**config, **config.get("arguments", {})}  # neither has what is None
            assert choice is not None, run
            assert choice == {name: made_with.get(name) for name in choice}, run


@pytest.mark.parametrize("name", INDEXED)
def test_the_readme_of_a_folder_is_that_of_its_result_files(name):
    assert (RESULTS / name / "README.md").read_text() == results_index(name), (
        "make results brings it up to date"
    )


def test_no_file_is_committed_that_nobody_sees():
    kinds = {path.suffix for path in RESULTS.rglob("*") if path.is_file()}
    assert kinds <= {".xz", ".json", ".md", ".csv", ".svg"}


def test_all_results_together_are_small():
    assert sum(path.stat().st_size for path in RESULTS.rglob("*") if path.is_file()) < 20e6


def test_no_result_file_quotes_texts_of_the_data():
    paths = result_paths(RESULTS / "generative")
    shown = [each["shown"] for path in paths for each in RunResult.read(path).language["continuations"]]
    assert len(shown) == 10 * len(paths)
    assert not any(shown)


def test_no_result_file_names_a_folder_of_the_machine_that_made_it():
    paths = result_paths(RESULTS)
    assert len(paths) > 300
    for path in paths:
        assert not re.search(r'["\s=](/|~|[A-Z]:\\)\w', result_text(path)), path
