"""The report as a page, as far as its files tell; test_page_browser.py opens it."""

import doctest
import importlib
import json
import math
import pkgutil
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from matplotlib.figure import Figure
from support.site_results import HOSTILE, Elements, write_result

from clbench.reporting import site
from clbench.reporting.figures.costs import AFTER_ENCODING
from clbench.reporting.load import load_results
from clbench.reporting.measures import MEASURES
from clbench.reporting.site import write_page
from clbench.reporting.site.comparison import runs_grid
from clbench.reporting.site.curve import curve
from clbench.reporting.site.figures import inline
from clbench.reporting.site.measures import mean, spread
from clbench.reporting.site.names import run_ids, scenario_ids
from clbench.reporting.site.overview import best_grid, fronts_grid
from clbench.reporting.tables.comparison import comparison_table


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "runs"
    for method in ("dkvb-np-oracle", "ewc-frozen", HOSTILE):
        for seed in (0, 1):
            write_result(folder, "news", method, seed)
    write_result(folder, f"</script>{HOSTILE}", "ewc-frozen", 0, status="failed", **{HOSTILE: [HOSTILE]})
    return folder


def pages(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".html", ".js", ".css", ".txt")
    }


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(site.__path__)])
def test_examples_in_docstrings_hold(name):
    module = importlib.import_module(f"clbench.reporting.site.{name}")
    assert doctest.testmod(module).failed == 0


def test_a_scenario_lists_its_runs_with_what_they_measure(tmp_path):
    write_result(tmp_path / "runs", "news", "ewc-frozen", 0)
    frame = load_results([tmp_path / "runs"])
    grid = runs_grid(frame.to_dict("records"), ["a.html"])
    shown = [column.heading for column in grid.columns]
    assert "Average accuracy (%)" in shown
    assert "Bits per byte" not in shown


def test_text_from_data_never_becomes_an_element(results, tmp_path):
    write_page(load_results([results]), tmp_path / "out")
    written = pages(tmp_path / "out")
    assert sum("&lt;img" in text for text in written.values()) >= 6  # it is there, as text
    for name, text in written.items():
        assert "<img" not in text, name
        if name.endswith(".html"):
            elements = Elements(text).found
            assert not [tag for tag, _ in elements if tag in ("img", "iframe", "style", "object")], name
            assert not [key for _, each in elements for key in each if key.startswith(("on", "style"))], name
            assert all("src" in each for tag, each in elements if tag == "script"), name
        else:
            assert "</script" not in text, name


def test_a_method_with_many_deviations_has_one_badge_for_them(tmp_path):
    deviations = ["differs: keys move to means", "differs: values start at zero"]
    write_result(tmp_path / "runs", "news", "ewc-frozen", 0, notes=deviations)
    write_page(load_results([tmp_path / "runs"]), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    counts = [row.count(">deviation<") for row in re.findall(r"<tr>.*?</tr>", page, flags=re.DOTALL)]
    assert [count for count in counts if count] == [1, 1]  # among the best, and in the list of methods
    assert "keys move to means" in page
    assert "values start at zero" in page


def test_every_link_leads_to_a_file_of_the_folder(results, tmp_path):
    out = tmp_path  # the result files are below it
    write_page(load_results([results]), out)
    targets = set()
    for name, text in pages(out).items():
        if name.endswith(".html"):
            links = [each.get(key) for _, each in Elements(text).found for key in ("href", "src")]
            for link in filter(None, links):
                parts = urlsplit(link)
                if parts.scheme == "data" or link.startswith("#"):
                    continue
                assert not parts.scheme, f"{name}: {link}"
                assert not parts.netloc, f"{name}: {link}"
                target = ((out / name).parent / unquote(parts.path)).resolve()
                assert target.is_file(), f"{name}: {link}"
                targets.add(target)
    assert {path.resolve() for path in results.rglob("*.json")} <= targets
    assert {(out / name).resolve() for name in pages(out) if name.endswith(".html")} <= targets


def test_a_result_file_elsewhere_is_named_but_no_link(results, tmp_path):
    frame = load_results([results])
    write_page(frame, tmp_path / "out")
    place = frame.index[frame["method"] == "dkvb-np-oracle"][0]
    text = (tmp_path / "out" / "runs" / f"{run_ids(frame)[place]}.html").read_text()
    assert f"<code>{frame['path'][place]}</code>" in text


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    for name in "ab":
        write_page(load_results([results]), tmp_path / name)
    assert pages(tmp_path / "a") == pages(tmp_path / "b")


def test_pages_of_runs_that_are_gone_are_removed_and_nothing_else(results, tmp_path):
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "runs" / "mine.html").write_text("mine")
    frame = load_results([results])
    write_page(frame, out)
    before = set(pages(out))
    write_page(frame[frame["method"] == "ewc-frozen"], out)
    after = set(pages(out))
    assert {name for name in before - after if "ewc" in name} == set()
    assert len([name for name in before - after if name.startswith("runs/")]) == 4
    assert (out / "runs" / "mine.html").read_text() == "mine"
    assert set(json.loads((out / "page-files.json").read_text())) == after - {"runs/mine.html"}


@pytest.mark.parametrize("name", ["../precious.html", "{}/precious.html", "runs/../../precious.html"])
def test_a_list_of_files_that_leads_elsewhere_removes_nothing(name, results, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious.html").write_text("precious")
    (out / "page-files.json").write_text(json.dumps([name.replace("{}", str(tmp_path))]))
    write_page(load_results([results]), out)
    assert (tmp_path / "precious.html").exists()


def test_a_report_that_fails_leaves_the_earlier_one_as_it_was(results, tmp_path):
    out, frame = tmp_path / "out", load_results([results])
    write_page(frame, out)
    before, files = pages(out), set(out.rglob("*"))
    with pytest.raises(TypeError):
        write_page(frame.assign(path=0), out)
    assert pages(out) == before
    assert set(out.rglob("*")) == files


def test_files_of_different_runs_have_different_names_also_without_case(tmp_path):
    for method in ("ewc", "EWC", "ew/c", "ew:c", "é" * 300, "é" * 301, "a-orderb"):
        write_result(tmp_path, "news", method, 0)
    names = run_ids(load_results([tmp_path]))
    assert len({name.lower() for name in names}) == 7
    assert all(re.fullmatch(r"[A-Za-z0-9._=-]{1,140}", name) for name in names)
    assert scenario_ids(["r8-cil"]) == {"r8-cil": "r8-cil"}


def test_the_figure_keeps_its_looks_without_styles_and_has_ids_of_its_own():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], color="#123456", linewidth=3)
    axes.set_title(HOSTILE)
    svg = inline(figure, "first", HOSTILE)
    assert re.search(r'stroke="#123456"', svg)
    assert re.search(r'stroke-width="3"', svg)
    assert "style" not in svg
    assert "<img" not in svg
    ids, used = set(re.findall(r' id="([^"]+)"', svg)), set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    assert used
    assert used <= ids
    assert all(each.startswith("first-") for each in ids)


def test_a_mean_and_its_interval_are_in_one_unit():
    carried = next(each for each in MEASURES if each.unit == "bytes")
    row = {carried.name: 2048.0, f"{carried.name}_low": 512.0, f"{carried.name}_high": 4096.0}
    assert (mean(row, carried), spread(row, carried)) == ("2.0 KiB", "[0.5, 4.0]")
    assert spread(row | {f"{carried.name}_high": 512.0}, carried) == ""
    assert spread(row | {f"{carried.name}_low": math.nan}, carried) == ""


def test_a_curve_of_many_stages_has_few_ticks_and_all_points():
    drawn = curve([0.5] * 52)
    assert len(drawn.points) == 52
    assert len(drawn.ticks) <= 12
    assert {y for _, y in drawn.points} == {y for y, label in drawn.levels if label == "50"}


# What stands out


@pytest.fixture
def rivals(tmp_path):
    """Twelve fair methods of two seeds, and two with an advantage that happen to be the most accurate."""
    for method in "abcdefghijkl":
        for seed in (0, 1):
            write_result(tmp_path, "news", method, seed)
    for method, told in (("joint", {"joint": True}), ("task-id-oracle", {"notes": ["task-id-oracle"]})):
        path = write_result(tmp_path, "news", method, 0, **told)
        content = json.loads(path.read_text())
        content["metrics"]["average_accuracy"] = 0.99
        content["accuracy"][-1] = [0.99] * len(content["accuracy"][-1])
        content["costs"]["seconds"] |= {"encode": 0.0, "total": 0.001}
        path.write_text(json.dumps(content))
    return load_results([tmp_path])


def fair_means(frame, cost):
    fair = frame[frame["method"].str.len() == 1].groupby("method")
    return {name: (runs[cost].mean(), runs["metrics.average_accuracy"].mean()) for name, runs in fair}


def test_the_best_is_the_most_accurate_of_those_without_an_advantage(rivals):
    means = {name: value for name, (_, value) in fair_means(rivals, "seed").items()}
    best = max(means, key=means.get)
    ((scenario, _, method, accuracy, runs),) = best_grid(comparison_table(rivals), {"news": "x.html"}).rows
    assert (scenario.href, method.text, runs.text) == ("x.html", best, "2")
    assert accuracy.text == f"{100 * means[best]:.1f}"


@pytest.mark.parametrize(("place", "cost"), [(2, AFTER_ENCODING), (4, "costs.carried_bytes.total")])
def test_a_front_has_every_method_that_no_fair_one_beats(place, cost, rivals):
    means = fair_means(rivals, cost)
    front = [
        name
        for name, (spent, value) in sorted(means.items(), key=lambda each: each[1][0])
        if not any(other < spent and better > value for other, better in means.values())
    ]
    assert 1 < len(front) < len(means)
    (row,) = fronts_grid(rivals, comparison_table(rivals), {"news": "x.html"}).rows
    assert [item.split(" (")[0] for item in row[place].items] == front
    assert row[3].text == "without a value"  # FLOPs
