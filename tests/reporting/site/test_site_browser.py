"""The report as a page, opened from disk in Chromium."""

import itertools
import time

import pytest
from support.site_pages import ARGUMENTS, CHROMIUM, KINDS, Site, column, methods_table
from support.site_results import HOSTILE, write_result

from clbench.reporting.tables.cells import NOTHING

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[dev]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome"),
]
SECONDS_TO_OPEN = {"index.html": 2.0, "scenarios/news.html": 4.0, "compare.html": 4.0}
"""The overview is what opens first; the others have room for a machine that is busy."""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(params=["light"])
def tab(browser, request):
    """A tab; whatever a page complains about or asks the network for fails the test that opened it."""
    context = browser.new_context(color_scheme=request.param)
    tab = context.new_page()
    complaints, requests = [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.on("request", lambda one: requests.append(one.url))
    yield tab
    context.close()
    assert complaints == []
    assert requests
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for method in ("dkvb-np-oracle", "ewc-frozen", "ncm", HOSTILE):
        for seed in (0, 1, 2):
            write_result(folder / "results", "news", method, seed)
    write_result(folder / "results", "mail", "ncm", 0, order="random:1", lr=0.5)
    write_result(folder / "results", "mail", "ewc-frozen", 0, status="failed")
    return Site(folder / "results", folder / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_opens_in_silence_and_shows_hostile_names_as_text(kind, site, tab):
    site.open(tab, site.kinds()[kind])
    tab.wait_for_load_state("load")
    if kind == "compare":
        tab.get_by_text("Both runs are shown below.").wait_for()
    if kind != "run with keys":
        assert HOSTILE in tab.locator("main").inner_text()
    assert tab.locator("img").count() == 0
    assert tab.title() != "1"
    assert tab.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_can_be_used_without_eyes_or_mouse(kind, site, tab):
    site.open(tab, site.kinds()[kind])
    if kind == "compare":
        tab.get_by_text("Both runs are shown below.").wait_for()
    levels = [int(each.evaluate("one => one.tagName[1]")) for each in tab.locator("h1,h2,h3,h4").all()]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert tab.locator("table:not(:has(caption))").count() == 0
    assert tab.locator("th:not([scope])").count() == 0
    unlabeled = (
        "Array.from(document.querySelectorAll('input, select')).filter(one => !one.labels.length).length"
    )
    assert tab.evaluate(unlabeled) == 0
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"


@pytest.mark.parametrize("tab", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(kind, site, tab):
    axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-playwright-python")
    site.open(tab, site.kinds()[kind])
    if kind == "compare":
        tab.get_by_text("Both runs are shown below.").wait_for()
    for summary in tab.locator("summary").all():
        summary.click()
    tab.evaluate(axe.AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run({preload: false})")  # which would fetch the style sheet
    assert len(found["passes"]) > 20
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []


def test_a_column_sorts_by_its_numbers_both_ways(site, tab):
    site.open(tab, "index.html")
    table = methods_table(tab)
    heading = "Average accuracy (%)"
    button = table.get_by_role("button", name=heading)
    done = [text for text in column(tab, table, heading) if text != NOTHING]
    assert len(done) == 5
    for direction in ("ascending", "descending"):
        button.click()
        assert table.locator("th[aria-sort]").all_inner_texts() == [button.inner_text()]
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == direction
        shown = column(tab, table, heading)
        assert shown[-1] == NOTHING  # what has no value is last either way
        numbers = [float(text.split()[0]) for text in shown[:-1]]
        assert numbers == sorted(numbers, reverse=direction == "descending")
        assert len(set(numbers)) > 2


def test_a_column_of_sizes_sorts_by_bytes_not_by_their_text(site, tab):
    site.open(tab, "index.html")
    table = methods_table(tab)
    table.get_by_role("button", name="Carried").click()
    order = column(tab, table, "Method"), column(tab, table, "Scenario")
    done = site.frame[site.frame["status"] == "done"]
    means = done.groupby(["name", "scenario"])["costs.carried_bytes.total"].mean().sort_values()
    shown = [(method.split(" sees-future")[0], scenario) for method, scenario in zip(*order, strict=True)]
    assert shown[:5] == list(means.index)


def test_filters_keep_the_right_rows_and_say_how_many(site, tab):
    site.open(tab, "index.html")
    table = methods_table(tab)
    bar = tab.locator(".bar", has=tab.get_by_label("Filter rows"))
    assert bar.get_by_role("status").inner_text() == "6 of 6 rows"
    bar.get_by_label("Filter rows").fill("EWC news")
    assert column(tab, table, "Method") == ["EWC"]
    assert bar.get_by_role("status").inner_text() == "1 of 6 rows"
    bar.get_by_label("Filter rows").fill("")
    bar.get_by_role("combobox", name="Scenario", exact=True).select_option("mail")
    assert sorted(column(tab, table, "Method")) == ["EWC", "NCM"]
    bar.get_by_role("combobox", name="Status", exact=True).select_option("failed")
    assert column(tab, table, "Method") == ["EWC"]


def test_columns_can_be_shown_and_hidden(site, tab):
    site.open(tab, "index.html")
    table = methods_table(tab)
    tab.get_by_text("Columns", exact=True).click()
    for heading, shown in (("Forgetting (%)", True), ("Learning accuracy (%)", False)):
        head = table.locator("th", has_text=heading)
        box = tab.locator(".columns").get_by_label(heading)
        assert (head.is_visible(), box.is_checked()) == (shown, shown)
        box.click()
        assert head.is_visible() is not shown


def test_a_heading_sorts_by_the_keyboard(site, tab):
    site.open(tab, "index.html")
    table = methods_table(tab)
    tab.get_by_label("Filter rows").focus()
    for _ in range(20):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.closest('th')?.textContent") == "Forgetting (%)":
            break
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("Forgetting")
    numbers = [float(text.split()[0]) for text in column(tab, table, "Forgetting (%)") if text != NOTHING]
    assert numbers == sorted(numbers)


def test_unfinished_runs_are_listed_with_their_error(site, tab):
    site.open(tab, "index.html")
    rows = tab.locator("table", has=tab.locator("caption", has_text="not finished")).locator("tbody tr")
    assert rows.count() == 1
    assert HOSTILE in rows.inner_text()
    rows.get_by_role("link").click()
    assert "Status: failed. ran out of memory" in tab.locator(".warning").inner_text()


def test_two_runs_are_compared(site, tab):
    site.open(tab, "index.html")
    tab.get_by_role("link", name="Compare two runs").click()
    tab.locator("#find-a").fill("mail ncm")
    assert tab.locator("#choose-a option").count() == 2  # and none
    tab.locator("#choose-a").select_option(index=1)
    tab.locator("#choose-b").select_option(site.run_id("ncm", 2))
    tab.get_by_text("Both runs are shown below.").wait_for()

    def rows(caption):
        table = tab.locator("table", has=tab.locator("caption", has_text=caption))
        return [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]

    found = site.frame[(site.frame["method"] == "ncm")]
    one, other = found[found["scenario"] == "mail"].iloc[0], found[found["seed"] == 2].iloc[0]
    assert rows("Settings in which they differ") == [
        ["scenario", "mail", "news"],
        ["title", "Title of mail", "Title of news"],
        ["order", "random:1", "0"],
        ["seed", "0", "2"],
        ["lr", "0.5", "0.1"],
    ]
    accuracy = [100 * each["metrics.average_accuracy"] for each in (one, other)]
    line = next(row for row in rows("Metrics") if row[0] == "Average accuracy (%)")
    assert line[1:3] == [f"{value:.1f}" for value in accuracy]
    assert float(line[3]) == pytest.approx(accuracy[1] - accuracy[0], abs=0.06)
    assert rows("A: accuracy (%)")[2][1] == f"{100 * one['accuracy'][2][0]:.1f}"
    assert rows("B: accuracy (%)")[2][1] == f"{100 * other['accuracy'][2][0]:.1f}"
    difference = 100 * (other["accuracy"][2][0] - one["accuracy"][2][0])
    assert float(rows("A: accuracy (points)")[2][1]) == pytest.approx(difference, abs=0.06)
    tab.reload()  # the address holds the choice
    tab.get_by_text("Both runs are shown below.").wait_for()
    assert rows("Settings in which they differ")[4] == ["lr", "0.5", "0.1"]


def test_a_run_that_is_not_there_is_not_loaded(site, tab):
    site.open(tab, "compare.html#a=../../secret&b=https://example.org/x")
    assert tab.get_by_text("Choose two runs.").is_visible()


@pytest.mark.parametrize("tab", ["dark"], indirect=True)
def test_dark_mode_follows_the_system_until_somebody_chooses(site, tab):
    def brightness():
        color = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(int(part) for part in color.strip("rgb()").split(","))

    site.open(tab, "index.html")
    assert brightness() < 150
    button = tab.get_by_role("button", name="Theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    assert brightness() == 3 * 255
    site.open(tab, "compare.html")  # it is remembered
    assert brightness() == 3 * 255


CONTRAST = """
    (() => {
      const paper = document.querySelector(".chart.paper");
      const { surface, tone } = clbenchColors.theme(paper);
      const luminance = (color) => {
        const parts = color.match(/[0-9.]+/g).map((one) => one / 255);
        const [r, g, b] = parts.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      return ["#000000", "#0072B2", "#D55E00"].map((each) => luminance(tone(each)) / luminance(surface));
    })()
"""


@pytest.mark.parametrize("path", ["index.html", "scenarios/news.html"])
@pytest.mark.parametrize("tab", ["dark"], indirect=True)
def test_charts_follow_the_theme_and_stand_out_in_the_dark(path, site, tab):
    site.open(tab, path)
    assert all(4.5 <= ratio < 21 for ratio in tab.evaluate(CONTRAST))
    dark = tab.locator(".chart canvas").first.screenshot()
    count = tab.locator(".chart canvas").count()
    tab.get_by_role("button", name="Theme").click()
    assert (
        tab.evaluate("clbenchColors.theme(document.querySelector('.chart')).tone('#000000')")
        == "rgb(0, 0, 0)"
    )
    assert tab.locator(".chart canvas").count() == count  # drawn again, in the place of the former
    assert tab.locator(".chart canvas").first.screenshot() != dark


def test_what_is_chosen_in_a_chart_stays_when_the_theme_changes(site, tab):
    site.open(tab, "index.html")
    tab.locator("#chart-scenario").select_option(index=1)
    tab.locator("#chart-cost").select_option("carried_bytes_total")
    family = tab.locator("#cost-chart input[type=checkbox]").first
    family.uncheck()
    told = tab.locator("#cost-chart .paper").get_attribute("aria-label")
    scenario = tab.locator("#chart-scenario").input_value()
    tab.get_by_role("button", name="Theme").click()
    tab.get_by_role("button", name="Theme").click()
    assert tab.locator("#chart-scenario").input_value() == scenario
    assert tab.locator("#chart-cost").input_value() == "carried_bytes_total"
    assert not family.is_checked()
    assert tab.locator("#cost-chart .paper").get_attribute("aria-label") == told


def test_the_network_is_forbidden_to_the_page(browser, site):
    """What the other tests find nothing of would be found."""
    context = browser.new_context()
    tab = context.new_page()
    refused = []
    tab.on("console", lambda message: refused.append(message.text))
    site.open(tab, "index.html")
    tab.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://localhost:9/x.png'}))")
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"document.title = 1\">x</p>')")
    tab.wait_for_timeout(200)
    context.close()
    assert any("img-src" in text for text in refused)
    assert any("script-src" in text for text in refused)


def test_two_thousand_results_open_in_two_seconds(browser, tmp_path):
    methods = [f"{name}-{tuning}" for name in "abcde" for tuning in ("full", "frozen")]
    for scenario in ("news", "mail"):
        for method in methods:
            for seed in range(100):
                write_result(tmp_path / "results", scenario, method, seed)
    started = time.perf_counter()
    site = Site(tmp_path / "results", tmp_path / "out")
    print(f"\n2,000 results read and written in {time.perf_counter() - started:.1f} s")
    context = browser.new_context()
    for path, limit in SECONDS_TO_OPEN.items():
        tab = context.new_page()
        site.open(tab, path)
        seconds = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
        print(f"{path} opens in {seconds:.2f} s")
        assert 0 < seconds < limit
        tab.close()
    context.close()
