"""``clbench report``: tables, plots and a page from result files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clbench.core.arguments import Parser
from clbench.core.io import write_text
from clbench.data.scenarios import SCENARIOS
from clbench.reporting.load import load_results
from clbench.reporting.publish.index import index
from clbench.reporting.publish.readme import filled
from clbench.reporting.publish.report import write_report
from clbench.reporting.site import write_page
from clbench.reporting.tables.render import text_table


def main(arguments: Sequence[str]) -> int:
    """Writes the report, prints its table, and says where it is."""
    parser = Parser(
        "report",
        "Makes tables, figures and a page from result files.",
        "clbench report runs --columns average_accuracy forgetting",
    )
    parser.add_argument("results", nargs="*", default=["runs"], help="result files or folders of them")
    parser.add_argument("--columns", nargs="*", metavar="NAME", help="measures in the tables, in this order")
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="DIR", default="runs/report", help="folder for what is made")
    output.add_argument("--page", action=argparse.BooleanOptionalAction, default=True, help="make the page")
    output.add_argument("--readme", metavar="FILE", help="only fill the table blocks of this Markdown file")
    output.add_argument(
        "--index", metavar="FILE", help="only write an overview of the results into this file"
    )
    options = parser.read(arguments)
    if options.readme is not None:
        path = Path(options.readme)
        write_text(path, filled(path.read_text(encoding="utf-8"), path.parent))
        print(path)
        return 0
    frame = load_results(options.results)
    if options.index is not None:
        path = Path(options.index)
        declared = {name: scenario.protocol for name, scenario in SCENARIOS.items()}
        write_text(path, index(frame, path.parent, declared))
        print(path)
        return 0
    show(frame, Path(options.out), options.columns)
    if options.page:
        print(write_page(frame, Path(options.out)))
    return 0


def show(frame: pd.DataFrame, out: Path, columns: Sequence[str] | None = None) -> None:
    """Writes tables and plots of loaded results, prints the short table and says where they are."""
    written = write_report(frame, out, columns=columns)
    print(text_table(frame))
    print()
    tables = [path for path in written if path.suffix not in (".svg", ".pdf")]
    print(*tables, sep="\n")
    print(f"{len(written) - len(tables)} files of figures in {out}")
