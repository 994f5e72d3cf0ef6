"""``clbench data``: which datasets there are, fetch and verify them, and check a scenario on its data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from clbench.core.arguments import Parser, word
from clbench.core.errors import UserError, unknown
from clbench.core.io import cache_dir, check_folder
from clbench.core.ranges import Line, Order, Url
from clbench.data import formats
from clbench.data.download.fetch import GITHUB, fetch, fetch_wikipedia
from clbench.data.scenarios import find_scenario
from clbench.data.scenarios.facts import DATASETS

ACTIONS = ("list", "fetch", "verify", "check")
WIKI = "wiki"


def main(arguments: Sequence[str]) -> int:
    """Lists, fetches or verifies datasets, or checks scenarios; 1 if one that was verified is another."""
    parser = Parser(
        "data",
        "Lists, fetches and verifies the datasets of built-in scenarios; check says what a scenario will be.",
        "clbench data fetch r8 --data-dir data",
    )
    parser.add_argument("action", help=f"one of {', '.join(ACTIONS)}")
    parser.add_argument("names", nargs="*", default=[], help="datasets, by default all; for check, scenarios")
    parser.add_data_dir()
    text = "where the original repositories are"
    parser.add_argument("--server", type=word(Url), metavar="URL", default=GITHUB, help=text)
    parser.add_argument("--cache", action="store_true", help="verify the cache instead of datasets")
    text = "for check: the order of the experiences"
    parser.add_argument("--order", type=word(Order), default="0", help=text)
    text = "for check: whose tokens are counted"
    parser.add_argument("--encoder", type=word(Line), default="minilm", help=text)
    options = parser.read(arguments)
    if options.action not in ACTIONS:
        raise unknown("action", options.action, ACTIONS)
    if options.cache:
        if options.action != "verify" or options.names:
            raise UserError("option --cache: the cache is verified as a whole: clbench data verify --cache")
        return _verify_cache()
    if options.action == "check":
        return _check(options.names, options.data_dir, options.order, options.encoder)
    known = [*DATASETS, WIKI]
    for name in options.names:
        if name not in known:
            raise unknown("dataset", name, known)
    data_dir = options.data_dir
    if data_dir is None and options.action != "list":
        raise UserError(
            "name the folder of the datasets with --data-dir or the environment variable CLBENCH_DATA"
        )
    if options.action == "verify":
        _check_there(data_dir, options.names)
    if options.action == "fetch":
        check_folder(data_dir, "option --data-dir")
    if options.action == "list":
        return _list(options.names or known, data_dir)
    if options.action == "fetch":
        return _fetch(options.names or known, data_dir, options.server)
    return _verify(options.names, data_dir)


def _check(names: Sequence[str], data_dir: Path | None, order: str, encoder: str) -> int:
    if not names:
        raise UserError("name a scenario or its YAML file: clbench data check tickets.yaml")
    from clbench.data.check import described
    from clbench.data.stream import load_stream
    from clbench.models.encoder import load_encoder

    for at, name in enumerate(names):
        scenario = find_scenario(name)
        stream = load_stream(scenario, scenario.protocol, data_dir=data_dir, order=order)
        print(
            *([""] if at else []),
            *described(stream, load_encoder(encoder), scenario.protocol.max_tokens),
            sep="\n",
        )
    return 0


def _check_there(data_dir: Path, names: Sequence[str]) -> None:
    """A folder that holds nothing to verify is not one that was verified."""
    if not data_dir.is_dir():
        raise UserError(f"data folder {data_dir} does not exist")
    if not names and not any((data_dir / each).is_dir() for each in DATASETS):
        raise UserError(f"data folder {data_dir} has none of the datasets {', '.join(DATASETS)}")


def _list(names: Sequence[str], data_dir: Path | None) -> int:
    for name in names:
        there = data_dir is not None and (data_dir / name).is_dir()
        facts = DATASETS.get(name)
        about = f"{facts.citation}. {facts.license}" if facts else "Simple Wikipedia, CC BY-SA 4.0"
        print(f"{name:<11}{'there' if there else 'absent':<8}{about}")
    return 0


def _fetch(names: Sequence[str], data_dir: Path, server: str) -> int:
    progress = sys.stderr.isatty()
    for name in names:
        if name == WIKI:
            written = fetch_wikipedia(data_dir)
        else:
            written = fetch(name, data_dir, server=server, progress=progress)
        print(*written, sep="\n", flush=True)
    declared = [name for name in names if name != WIKI]
    return _verify(declared, data_dir) if declared else 0


def _verify_cache() -> int:
    """Checks every file of the cache; 1 if one was damaged."""
    from clbench.data.pydocs.store import check_tables
    from clbench.models.cache_check import check_cache

    found = check_cache()
    tables, wrong = check_tables()
    damaged = [*found.damaged, *wrong]
    for damage in damaged:
        print(f"{damage}: removed; the next run that needs it makes it again")
    size = f"{found.nbytes / 1e6:,.0f} MB"
    print(
        f"{cache_dir()}: {found.shards} shards, {size}; {tables} tables; {len(damaged)} damaged", flush=True
    )
    return 1 if damaged else 0


def _verify(names: Sequence[str], data_dir: Path) -> int:
    """Compares datasets with what is declared; without names, those that are there."""
    from clbench.data.stream import overlap, table_fingerprint  # imports datasets

    status = 0
    names = names or [each for each in DATASETS if (data_dir / each).is_dir()]
    for name in names:
        table = formats.load(data_dir, name)
        sizes = {split: len(rows) for split, rows in table.items()}
        fingerprint = table_fingerprint(table)
        fitting = [each for each in DATASETS[name].versions if dict(each.sizes) == sizes]
        same = [each for each in fitting if each.fingerprint == fingerprint]
        if same:
            found = f"as declared ({same[0].name})"
        elif fitting:
            found = f"sizes as declared ({fitting[0].name}), texts of another hash: {fingerprint}"
        else:
            found, status = "not as declared", 1
        shown = ", ".join(f"{size} {split}" for split, size in sizes.items())
        print(f"{name}: {shown}; {overlap(table)} test texts in train; {found}", flush=True)
    return status
