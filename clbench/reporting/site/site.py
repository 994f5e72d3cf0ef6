"""All pages of a report: what each one shows is elsewhere, here they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from clbench.reporting.formatting import percent, plain
from clbench.reporting.hardware import machines_note
from clbench.reporting.site import comparison, overview, runs
from clbench.reporting.site.charts import cost_chart, curve_chart, heat_maps
from clbench.reporting.site.figures import figures
from clbench.reporting.site.findings import findings
from clbench.reporting.site.folder import replacing_pages
from clbench.reporting.site.measures import SPREAD_MEANING, meaning
from clbench.reporting.site.names import run_ids, run_label, scenario_ids
from clbench.reporting.site.values import shade
from clbench.reporting.tables.comparison import comparison_table

Examples = Callable[[str, str], Mapping[str, Sequence[tuple[str, str]]]]
"""Of a scenario in an order: by the name of an experience, pairs of a class and a text of it."""


def write_page(
    frame: pd.DataFrame,
    out: Path,
    *,
    compared: pd.DataFrame | None = None,
    examples: Examples | None = None,
) -> Path:
    """Writes ``index.html`` and all that it leads to: a page per scenario and run, and a comparison of two.

    The folder needs no network and no server. The same results give the same bytes. Pages of an earlier
    report in ``out`` whose runs are gone are removed.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        out: A folder; made if it is not there.
        compared: The comparison of ``frame``, where it is made already.
        examples: Gives some texts of each experience.

    Returns:
        The path of ``index.html``.
    """
    with replacing_pages(out) as folder:
        compared = comparison_table(frame) if compared is None else compared
        _Site(frame, folder, out, compared, examples or (lambda scenario, order: {})).write()
    return out / "index.html"


class _Site:
    """The pages of some results, written into ``folder``, to be read in ``out``."""

    def __init__(
        self, frame: pd.DataFrame, folder: Path, out: Path, compared: pd.DataFrame, examples: Examples
    ) -> None:
        self.frame, self.folder, self.out, self.table, self.examples = frame, folder, out, compared, examples
        self.runs: list[dict[str, Any]] = [
            {str(key): value for key, value in row.items()} for row in frame.to_dict("records")
        ]
        self.ids = run_ids(frame)
        self.scenarios = scenario_ids(frame["scenario"])
        self.templates = jinja2.Environment(
            loader=jinja2.PackageLoader("clbench.reporting.site"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        self.templates.filters |= {"percent": percent, "shade": shade, "breakable": _breakable}
        self.templates.globals |= {"meaning": meaning}

    def write(self) -> None:
        """Writes all files."""
        for source in files("clbench.reporting.site").joinpath("static").iterdir():
            self._put(f"static/{source.name}", source.read_text(encoding="utf-8"))
        self._overview()
        for scenario in self.scenarios:
            self._scenario(scenario)
        for run, name in zip(self.runs, self.ids, strict=True):
            self._run(run, name)
        self._compare()

    def _overview(self) -> None:
        self._put(
            "overview.js", f"clbenchChart.costs({_json(cost_chart(self.frame, self.table, self.ids))});\n"
        )
        links = {name: f"scenarios/{file}.html" for name, file in self.scenarios.items()}
        self._page(
            "index.html",
            "overview",
            facts=overview.facts(self.frame),
            findings=findings(self.frame, self.table),
            best=overview.best_grid(self.table, links),
            fronts=overview.fronts_grid(self.frame, self.table, links),
            methods=comparison.methods_grid(
                self.table, "All scenarios and methods", links, self._first_runs("runs/"), everything=False
            ),
            spread=SPREAD_MEANING,
            machines=machines_note(self.frame),
            unfinished=comparison.unfinished_grid(self.runs, [f"runs/{name}.html" for name in self.ids]),
        )

    def _scenario(self, scenario: str) -> None:
        mine = [place for place, run in enumerate(self.runs) if run["scenario"] == scenario]
        runs_here = [self.runs[place] for place in mine]
        here = self.frame.iloc[mine]
        table = self.table[self.table["scenario"] == scenario]
        told = comparison.telling(runs_here)
        texts = {} if told is None else self.examples(scenario, told["order"])
        named = [each.get("name", "") for each in told["experiences"]] if told is not None else []
        curves, maps = curve_chart(here, self.frame), heat_maps(here, self.frame)
        data = [
            ("curves", curves if curves["stages"] > 1 else None),
            ("costs", cost_chart(here, table, [self.ids[place] for place in mine], "../")),
            ("heat", maps or None),
        ]
        scripts = [f"clbenchChart.{name}({_json(each)});\n" for name, each in data if each is not None]
        self._put(f"scenarios/{self.scenarios[scenario]}.js", "".join(scripts))
        self._page(
            f"scenarios/{self.scenarios[scenario]}.html",
            "scenario",
            scenario=scenario,
            title=runs_here[0]["title"],
            methods=comparison.methods_grid(
                table,
                "Methods",
                {},
                self._first_runs("../runs/"),
                everything=True,
            ),
            chart=f"{self.scenarios[scenario]}.js",
            charts=[name for name, each in data if each is not None],
            experiences=None if told is None else comparison.experiences_grid(told),
            examples=[(f"{at} {name}", texts[name]) for at, name in enumerate(named, 1) if name in texts],
            spread=SPREAD_MEANING,
            machines=machines_note(here),
            figures=list(figures(here, self.frame)),
            runs=comparison.runs_grid(runs_here, [f"../runs/{self.ids[place]}.html" for place in mine]),
        )

    def _first_runs(self, folder: str) -> dict[tuple[str, str, str], str]:
        """Where the first run of each scenario, encoder and method is."""
        found: dict[tuple[str, str, str], str] = {}
        for run, name in zip(self.runs, self.ids, strict=True):
            found.setdefault((run["scenario"], run["encoder"], run["method"]), f"{folder}{name}.html")
        return found

    def _run(self, run: dict[str, Any], name: str) -> None:
        link = f"../scenarios/{self.scenarios[run['scenario']]}.html"
        self._page(f"runs/{name}.html", "run", id=name, link=link, **runs.context(run, self.out))
        self._put(f"data/{name}.js", f"clbench.add({_json(name)}, {_json(runs.data(run))});\n")

    def _compare(self) -> None:
        index = [
            [name, run["scenario"], run["encoder"], run_label(run)]
            for name, run in zip(self.ids, self.runs, strict=True)
        ]
        self._put("data/runs.js", f"clbench.list({_json(index)});\n")
        self._page("compare.html", "compare")

    def _page(self, path: str, template: str, **values: Any) -> None:
        root = "../" * path.count("/")
        html = self.templates.get_template(f"{template}.html.jinja").render(root=root, **values)
        self._put(path, html)

    def _put(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def _shown(value: Any) -> Any:
    """What a template shows of a value: text without characters that turn the direction of writing."""
    return plain(value) if type(value) is str and not value.isprintable() else value


def _breakable(text: str) -> Markup:
    """``text``, escaped, that may go on in another line after the signs that join names."""
    return Markup(re.sub(r"([+_=])", r"\1<wbr>", str(escape(_shown(text)))))


def _json(value: Any) -> str:
    """A value as JavaScript that a script element may hold as well: it cannot end one."""
    return json.dumps(value).replace("<", "\\u003c")
