"""``clbench bench``: the engine's speed, each part against its naive form, in one run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from clbench.benchmark.names import NAMES
from clbench.core.arguments import Parser, word
from clbench.core.config import RunConfig
from clbench.core.errors import UserError, unknown
from clbench.core.io import check_file
from clbench.core.ranges import Line, Place, Threads
from clbench.data.scenarios import find_scenario
from clbench.engine.preflight import check_data, check_encoder


def main(arguments: Sequence[str]) -> int:
    """Measures, prints a table, and writes it as JSON where that is asked for."""
    parser = Parser(
        "bench",
        "Measures the speed of the engine against a naive implementation.",
        "clbench bench encode assign --json speed.json",
    )
    parser.add_argument("names", nargs="*", default=[*NAMES], metavar="name", help=", ".join(NAMES))
    text = "also write the results here, and a table beside it"
    parser.add_argument("--json", type=word(Place), metavar="FILE", help=text)
    text = "pretrained encoder"
    parser.add_argument("--encoder", type=word(Line), metavar="NAME", default=RunConfig.encoder, help=text)
    text = "a class-incremental one; without it, r8-cil where its data is, else pydocs-cil"
    parser.add_argument("--scenario", type=word(Line), metavar="NAME", help=text)
    text = "threads for torch"
    parser.add_argument("--threads", type=word(Threads), default=os.cpu_count() or 1, help=text)
    parser.add_data_dir()
    options = parser.read(arguments)
    for name in options.names:
        if name not in NAMES:
            raise unknown("measurement", name, NAMES)
    check_encoder(options.encoder)
    data_dir = options.data_dir and options.data_dir.resolve()
    if data_dir is not None and not data_dir.is_dir():
        raise UserError(f"data folder {options.data_dir} does not exist")
    if options.scenario is not None:
        scenario = find_scenario(options.scenario)
        if scenario.kind != "class":
            raise UserError(f"scenario '{scenario.name}' is {scenario.kind}-incremental; class is measured")
        check_data(scenario, data_dir)
    if options.json is not None:
        check_file(options.json, "option --json")
    from clbench.benchmark.comparisons import compare  # imports torch
    from clbench.benchmark.setting import default_setting

    setting = default_setting(data_dir, options.encoder, options.threads, options.scenario)
    print(f"scenario {setting.scenario}, encoder {setting.encoder}, {setting.threads} threads", flush=True)
    compare(setting, options.names, options.json)
    return 0
