"""The browser that opens a page in the tests, and where things are in the page."""

import shutil

from support.site_results import HOSTILE

from clbench.reporting.load import load_results
from clbench.reporting.site import write_page
from clbench.reporting.site.names import run_ids, scenario_ids

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Site:
    """A written page, and where things are in it."""

    def __init__(self, results, out):
        self.frame = load_results([results])
        self.out = out
        self.index = write_page(self.frame, out)
        self.ids = run_ids(self.frame)
        self.scenarios = scenario_ids(self.frame["scenario"])

    def run_id(self, method, seed=0):
        rows = self.frame[(self.frame["method"] == method) & (self.frame["seed"] == seed)]
        return self.ids[rows.index[0]]

    def open(self, tab, path):
        tab.goto(f"{self.out.as_uri()}/{path}")

    def kinds(self):
        """One page of each kind, with the hostile names on it."""
        one, other = self.run_id(HOSTILE), self.run_id("dkvb-np-oracle")
        return {
            "overview": "index.html",
            "scenario": f"scenarios/{self.scenarios['news']}.html",
            "run": f"runs/{one}.html",
            "run with keys": f"runs/{other}.html",
            "compare": f"compare.html#a={one}&b={other}",
        }


KINDS = ("overview", "scenario", "run", "run with keys", "compare")


def column(tab, table, heading):
    """The texts of a column of the rows that are shown, from the top."""
    return tab.evaluate(
        """([table, heading]) => {
            const heads = Array.from(table.tHead.rows[0].cells, (each) => each.textContent);
            const rows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden);
            return rows.map((row) => row.cells[heads.indexOf(heading)].textContent);
        }""",
        [table.element_handle(), heading],
    )


def methods_table(tab):
    return tab.locator("table", has=tab.locator("caption", has_text="All scenarios and methods"))
