"""``clbench report``: tables, plots and a page from result files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.core.arguments import Parser, word
from clbench.core.errors import UserError
from clbench.core.io import check_file, check_folder, write_text
from clbench.core.ranges import Place
from clbench.reporting.measures import chosen
from clbench.reporting.publish.limits import MANY

if TYPE_CHECKING:
    import pandas as pd

    from clbench.reporting.site.site import Examples


def main(arguments: Sequence[str]) -> int:
    """Writes the report, prints its table, and says where it is."""
    parser = Parser(
        "report",
        "Makes tables, figures and a page from result files.",
        "clbench report runs --columns average_accuracy forgetting",
    )
    parser.add_results()
    parser.add_data_dir("folder of the datasets, for a page that shows some texts of each experience")
    parser.add_argument("--columns", nargs="*", metavar="NAME", help="measures in the tables, in this order")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=word(Place), metavar="DIR", default="runs/report", help="folder for what is made"
    )
    text = f"make figures (default: of up to {MANY} runs)"
    output.add_argument("--figures", action=argparse.BooleanOptionalAction, help=text)
    text = f"make the page (default: of up to {MANY} runs)"
    output.add_argument("--page", action=argparse.BooleanOptionalAction, help=text)
    text = "only fill the table blocks of this Markdown file"
    output.add_argument("--readme", type=word(Place), metavar="FILE", help=text)
    text = "only write an overview of the results into this file"
    output.add_argument("--index", type=word(Place), metavar="FILE", help=text)
    options = parser.read(arguments)
    chosen(options.columns or ())
    if options.readme is not None:
        return _fill(options.readme)
    if options.index is not None:
        check_file(options.index, "option --index")
    else:
        check_folder(options.out, "option --out")
    from clbench.reporting.load import load_results  # pandas takes a second

    frame = load_results(options.results, strict=options.strict)
    if options.index is not None:
        return _index(frame, options.index)
    examples = None if options.data_dir is None else examples_from(options.data_dir)
    show(frame, options.out, options.columns, figures=options.figures, page=options.page, examples=examples)
    return 0


def examples_from(data_dir: Path | None) -> Examples:
    """What gives the page some texts of each experience, of the datasets that are at hand."""
    from clbench.data.examples import example_texts

    return lambda scenario, order: example_texts(scenario, order, data_dir)


def _fill(path: Path) -> int:
    from clbench.reporting.publish.readme import filled

    check_file(path, "option --readme")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    write_text(path, filled(text, path.parent))
    print(path)
    return 0


def _index(frame: pd.DataFrame, path: Path) -> int:
    from clbench.data.scenarios import SCENARIOS
    from clbench.reporting.publish.index import index

    declared = {name: scenario.protocol for name, scenario in SCENARIOS.items()}
    write_text(path, index(frame, path.parent, declared))
    print(path)
    return 0


def show(
    frame: pd.DataFrame,
    out: Path,
    columns: Sequence[str] | None = None,
    *,
    figures: bool | None = None,
    page: bool | None = None,
    examples: Examples | None = None,
) -> None:
    """Writes what is to be made of loaded results, prints the short table and says where it is.

    Without a choice, there are figures and a page of up to ``MANY`` runs.
    """
    from clbench.reporting.publish.report import write_report
    from clbench.reporting.statistics.growth import growth_text
    from clbench.reporting.tables.comparison import comparison_table
    from clbench.reporting.tables.render import text_table

    compared, few = comparison_table(frame), len(frame) <= MANY
    figures, wanted = (few if each is None else each for each in (figures, page))
    written = write_report(frame, out, columns=columns, figures=figures, compared=compared)
    print(text_table(frame, compared=compared))
    print()
    if growth := growth_text(frame):
        print(growth, end="\n\n")
    tables = [path for path in written if path.suffix not in (".svg", ".pdf")]
    print(*tables, sep="\n")
    if figures:
        print(f"{len(written) - len(tables)} files of figures in {out}")
    if wanted:
        from clbench.reporting.site import write_page

        print(write_page(frame, out, compared=compared, examples=examples))
    if not few and not (figures and wanted):
        print(f"of {len(frame)} runs, figures and the page are made with --figures --page")
