"""The committed reports and the result files behind each; run as a script, it writes all of them anew."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from support.formula_parts import context_of

from clbench.core.io import write_text
from clbench.data.scenarios import SCENARIOS
from clbench.engine.listing import method_table
from clbench.engine.registry import baseline_class, baseline_names
from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.load import load_results
from clbench.reporting.publish.index import index
from clbench.reporting.publish.readme import filled
from clbench.reporting.publish.report import write_report
from clbench.studies.experiment import find_experiment

ROOT = Path(__file__).parents[2]
METHODS = re.compile(r"(<!-- methods -->\n).*?(<!-- end -->)", re.DOTALL)
GAPS = re.compile(r"(<!-- defaults against tuned -->\n).*?(<!-- end -->)", re.DOTALL)
RESULTS = ROOT / "results"
SMALL = RESULTS / "small"
INDEXED = ("full", "encoders", "small", "generative", "memory", "long_streams", "dynamic_keys")
"""The folders of results with a README of their own."""


def single_head() -> pd.DataFrame:
    methods = sorted(path.name for path in (SMALL / "r52-cil/minilm").iterdir())
    return load_results(
        [
            SMALL / name / "minilm" / each
            for name in ("r8-cil", "r52-cil", "20ng-cil-single")
            for each in methods
        ]
    )


def main() -> pd.DataFrame:
    """The methods that have run in all orders of a scenario: means over different orders do not compare."""
    frame = load_results([SMALL / name for name in ("dsc-dil", "20ng-cil", "glue4-til")])
    orders = frame.groupby("scenario")["order"].transform("nunique")
    return frame[frame.groupby(["scenario", "method"])["order"].transform("nunique") == orders]


def on_cores() -> pd.DataFrame:
    """The orders in which all methods of ``main`` have run on two cores: seconds on a GPU do not compare."""
    frame = main()
    frame = frame[frame["provenance"].map(lambda about: not about["machine"].get("gpu"))]
    methods = frame.groupby("scenario")["method"].transform("nunique")
    return frame[frame.groupby(["scenario", "order"])["method"].transform("nunique") == methods]


def keys() -> pd.DataFrame:
    methods = SMALL / "r8-cil/minilm"
    first = "order0-seed0.json.xz"  # the other seeds are single_head's
    return load_results([*methods.glob(f"dkvb-*/{first}"), methods / "finetune-frozen" / first])


def quick() -> pd.DataFrame:
    return load_results(sorted((RESULTS / "quick").glob("pydocs-*")))


def values(profile: str) -> pd.DataFrame:
    return load_results([RESULTS / profile])


REPORTS: dict[str, Callable[[], pd.DataFrame]] = {
    "full/report/frozen": lambda: values("full"),
    "encoders/report/frozen": lambda: values("encoders"),
    "small/report/main": main,
    "small/report/runtime": on_cores,
    "small/report/keys": keys,
    "small/report/single_head": single_head,
    "small/report/cost": single_head,
    "small/report/architecture": lambda: load_results([SMALL / "r8-iid"]),
    "quick/report/main": quick,
    "few/report/values": lambda: values("few"),
    "many/report/values": lambda: values("many"),
    "draws/report/values": lambda: values("draws"),
    "default/report/defaults": lambda: values("default"),
    "tuned/report/defaults": lambda: values("tuned"),
    "rates/report/trained_rates": lambda: values("rates"),
    "generative/report/generative": lambda: values("generative"),
    "memory/report/memory": lambda: values("memory"),
    "long_streams/report/long_streams": lambda: values("long_streams"),
    "dynamic_keys/report/dynamic_keys": lambda: values("dynamic_keys"),
}


def pages() -> list[Path]:
    """The Markdown files whose table blocks are filled from the committed reports."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def results_index(name: str) -> str:
    declared = {name: scenario.protocol for name, scenario in SCENARIOS.items()}
    return index(values(name), RESULTS / name, declared)


def with_methods(text: str) -> str:
    """``text`` with its table of methods filled: the facts about each method with its default arguments."""
    infos = {}
    for name in baseline_names():
        method = baseline_class(name)
        infos[name] = method(context_of(method)).info
    return METHODS.sub(lambda found: f"{found[1]}\n{method_table(infos)}\n{found[2]}", text)


def gaps() -> pd.DataFrame:
    """Average accuracy with defaults and with tuned values, in %: a row per method, columns per scenario."""
    found = {}
    for profile in ("default", "tuned"):
        frame = values(profile)
        method = frame["method"].str.replace(r"-lr=.*", "", regex=True)
        found[profile] = (
            100 * frame.groupby([method, "scenario"])["metrics.average_accuracy"].mean().unstack()
        )
    return pd.concat(found, axis=1)


def with_gaps(text: str) -> str:
    """``text`` with its table of defaults against tuned values."""
    numbers = gaps().round(1)
    streams = sorted(numbers["default"].columns)
    rows = [["Method", *streams], ["---", *["---:"] * len(streams)]]
    for method, row in numbers.iterrows():
        pairs = [(row["default", each], row["tuned", each]) for each in streams]
        rows.append([f"`{method}`", *(f"{given:.1f} → {best:.1f}" for given, best in pairs)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return GAPS.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text)


def write_all() -> None:
    """Writes all tables, the figures that are committed, as SVG, and the tables of the pages.

    Tables in HTML and LaTeX and figures in PDF are left out: GitHub shows none of them, and they can be made
    at any time.
    """
    for name, load in REPORTS.items():
        report, frame = RESULTS / name, load()
        write_report(frame, report, columns=find_experiment(report.name).table, figures=False)
        for kind in ("html", "tex"):
            (report / f"table.{kind}").unlink()
        earlier = {path.stem for path in report.glob("*.svg")}
        for stem, figure in gallery(frame, {stem.partition("-")[0] for stem in earlier}):
            if stem in earlier:
                _, pdf = save(figure, report / stem)
                pdf.unlink()
    for name in INDEXED:
        write_text(RESULTS / name / "README.md", results_index(name))
    for page in pages():
        text = filled(page.read_text(encoding="utf-8"), page.parent)
        write_text(page, with_gaps(with_methods(text)))


if __name__ == "__main__":
    write_all()
