"""The workspace and the report: what they show is what runs log."""

import json

import pytest
from support.committed_reports import ROOT
from support.wandb_files import alone, history, of, options, records, run_folders, stream, summary

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.tracking import content, dashboard, names

WITH_KEYS = ROOT / "results/quick/pydocs-cil/minilm/dkvb-np-oracle/order0-seed0.json"
PANELS = {"Run History Line Plot", "Bar Chart", "Scatter Plot", "Media Browser", "Run Comparer"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path_factory):
    alone(monkeypatch, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        alone(patch, tmp_path_factory.getbasetemp())
        scenario = stream(tmp_path_factory.mktemp("data"))
        folder = tmp_path_factory.mktemp("runs")
        assert main(["run", *options(scenario, folder, "--wandb", "offline")]) == 0
    return folder


@pytest.fixture(scope="module")
def built(results):
    """What ``clbench wandb dashboard`` would send."""
    path = results / "dashboards.json"
    line = ["wandb", "dashboard", str(results), "--dry-run", "--json", str(path), "--entity", "us"]
    assert main([*line, "--project", "streams"]) == 0
    return json.loads(path.read_text())


def grids(built):
    return [each for each in built["report"]["spec"]["blocks"] if each["type"] == "panel-grid"]


def panels(built):
    """The panels of the workspace, and those of the report."""
    sections = built["workspace"]["spec"]["section"]["panelBankConfig"]["sections"]
    report = [each["metadata"]["panelBankSectionConfig"]["panels"] for each in grids(built)]
    return [panel for each in sections for panel in each["panels"]], [
        panel for each in report for panel in each
    ]


def shown(panel):
    """The names of metrics that a panel draws, without where they are looked for."""
    config = panel["config"]
    used = [*config.get("metrics", []), *config.get("mediaKeys", [])]
    used += [config[axis] for axis in ("xAxis", "yAxis") if config.get(axis)]
    return {name.removeprefix("summary_metrics.").removeprefix("summary:") for name in used}


def test_all_that_is_shown_is_logged(built, results):
    (folder,) = run_folders(results)
    read = records(folder)
    logged = {key for row in history(read) for key in row} | set(summary(read))
    logged |= {key.removesuffix("._type") for key in logged}
    result = RunResult.read(next(results.rglob("order*.json")))
    result.costs["flops"] = {"algorithm": 1, "spent": 1}
    logged |= set(content.summary(result))
    logged |= set(content.row(RunResult.read(WITH_KEYS), 0))
    for some in panels(built):
        used = set().union(*(shown(panel) for panel in some))
        assert {"eval/stream_accuracy", "experience", "metrics/forgetting", "matrix/image"} <= used
        assert {"diagnostics/keys_in_use", "diagnostics/perplexity"} <= used
        assert {"costs/seconds/total", "costs/carried_bytes/total", "costs/flops/algorithm"} <= used
        assert used <= logged
    columns = built["workspace"]["spec"]["section"]["runSets"][0]["runFeed"]["columnOrder"]
    parts = [each.split(":", 1) for each in columns]
    assert {name for section, name in parts if section == "summary"} <= logged
    config = {f"{name}.value" for name in of("run", read)[0]["config"]["update"]}
    assert {name for section, name in parts if section == "config"} <= config


def test_accuracy_and_cost_have_their_front(built):
    for some in panels(built):
        scatters = [each["config"] for each in some if each["viewType"] == "Scatter Plot"]
        assert len(scatters) == len(dashboard.COST_AXES)
        assert all(each["showMaxYAxisLine"] and each["xAxisLogScale"] for each in scatters)


def test_the_workspace_compares_methods_by_scenario(built):
    view = built["workspace"]
    assert (view["entity"], view["project"]) == ("us", "streams")
    section = view["spec"]["section"]
    (runs,) = section["runSets"]
    assert [each["name"] for each in runs["grouping"]] == ["scenario.value", "method.value"]
    assert section["settings"]["useRunsTableGroupingInPanels"]
    assert section["settings"]["xAxis"] == names.EXPERIENCE
    grouped = [panel["config"] for panel in panels(built)[0] if "groupBy" in panel["config"]]
    assert [(each["chartTitle"], each["groupBy"]) for each in grouped] == [
        ("Stream accuracy by family", "family.value")
    ]
    assert [each["name"] for each in section["panelBankConfig"]["sections"]] == list(dashboard.SECTIONS)
    assert {panel["viewType"] for panel in panels(built)[0]} == PANELS


def test_the_report_has_the_panels_of_each_scenario_by_method(built):
    assert {panel["viewType"] for panel in panels(built)[1]} == PANELS
    drawn = [panel for panel in panels(built)[1] if "metrics" in panel["config"]]
    by = [each["config"]["groupBy"] for each in drawn]
    assert by.count("family.value") == 1
    assert by.count("method.value") == len(drawn) - 1 == 3 + len(dashboard.KEYS)
    assert {each["config"]["groupAgg"] for each in drawn} == {"mean"}
    for grid in grids(built):
        (runs,) = grid["metadata"]["runSets"]
        (only,) = runs["filters"]["filters"]
        assert (only["key"]["name"], only["op"], only["value"]) == ("scenario", "=", "three")
        assert [each["name"] for each in runs["grouping"]] == ["method.value"]


def test_there_is_a_chapter_for_each_scenario():
    made = dashboard.specification(dashboard.report("streams", "", ["one", "two (of a kind), 50%"]))
    found = [each for each in made["spec"]["blocks"] if each["type"] == "panel-grid"]
    values = [each["metadata"]["runSets"][0]["filters"]["filters"][0]["value"] for each in found]
    assert values == ["one"] * len(dashboard.SECTIONS) + ["two (of a kind), 50%"] * len(dashboard.SECTIONS)


def test_a_name_that_no_filter_can_have_is_refused():
    with pytest.raises(UserError, match="it's: a report cannot filter by a name with '"):
        dashboard.report("streams", "", ["it's"])


def test_an_id_tells_runs_apart_and_nothing_else():
    config = {"scenario": "s", "encoder": "e", "method": "m", "order": "0", "seed": 0, "lr": 0.1}
    same = names.run_id(config, "g")
    assert names.run_id({**config, "lr": 0.2}, "g") == same
    others = [names.run_id({**config, key: "other"}, "g") for key in config if key != "lr"]
    others.append(names.run_id(config, "h"))
    assert len({same, *others}) == 7
