"""Running the comparisons, and tables of what they found."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

from clbench.benchmark.cases import CASES
from clbench.benchmark.measure import Comparison, alone
from clbench.benchmark.protocols import PROTOCOLS
from clbench.benchmark.scaling import BASE, FACTORS, Growth, growth
from clbench.benchmark.setting import Setting
from clbench.core.device import gpu_name
from clbench.core.io import cache_dir, write_json, write_text
from clbench.core.provenance import provenance
from clbench.data.scenarios import find_scenario
from clbench.reporting.formatting import readable_bytes

_PROTOCOLS = {each.name: each for each in PROTOCOLS}
SCALING = "scaling"


def compare(setting: Setting, names: Sequence[str], path: Path | None) -> None:
    """Measures, prints a table, and writes it as JSON, with a table in Markdown beside it, to ``path``."""
    found = measure(setting, names)
    grown = [alone(growth, size) for size in BASE] if SCALING in names else []
    print("\n\n".join(_parts(found, grown, "simple")))
    if path is None:
        return
    source = provenance({}, setting.threads, gpu_name())
    about = {"scenario": find_scenario(setting.scenario).name, "encoder": setting.encoder, **source}
    entries = [each.to_json() for each in found] + [each.to_json() for each in grown]
    write_json(path, [{**entry, "provenance": about} for entry in entries])
    heading = f"{setting.scenario}, {setting.encoder}, {source['machine']['processor']}"
    heading += f", {setting.threads} threads"
    when = f"Measured {source['date']} at commit {source['commit']}.\n"
    text = "\n\n".join(["# Speed", f"## {heading}", *_parts(found, grown, "pipe"), when])
    write_text(path.with_suffix(".md"), text)
    print(f"{path}\n{path.with_suffix('.md')}")


def _table(found: Sequence[Comparison], style: str) -> str:
    rows = [
        [each.name, f"{each.naive.seconds:.3g}", f"{each.engine.seconds:.3g}", f"{each.ratio:.1f}",
         f"{each.target:g}", readable_bytes(each.naive.peak_bytes), readable_bytes(each.engine.peak_bytes)]
        for each in found
    ]  # fmt: skip
    headers = ["name", "naive (s)", "engine (s)", "ratio", "ratio wanted", "naive peak", "engine peak"]
    alignment = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(rows, headers, tablefmt=style, colalign=alignment, disable_numparse=True)


def _parts(found: Sequence[Comparison], grown: Sequence[Growth], style: str) -> list[str]:
    """Tables of what was measured, each followed by what it shows."""
    parts = []
    if found:
        legend = "\n".join(f"- {each.name}: {each.what}." for each in found)
        parts += [_table(found, style), legend]
    if grown:
        rows = [
            [each.size, *(f"{one:.3g}" for one in each.seconds), f"{each.exponent:.2f}"] for each in grown
        ]
        base = ", ".join(f"{size} {name}" for name, size in BASE.items())
        headers = ["scaling of", *(f"x {factor} (s)" for factor in FACTORS), "exponent"]
        parts += [
            tabulate(rows, headers, tablefmt=style, disable_numparse=True),
            f"- scaling: a run of DKVB at multiples of {base}, with features in the cache; "
            "the exponent is fitted, 1 is linear growth.",
        ]
    return parts


def measure(setting: Setting, names: Sequence[str]) -> list[Comparison]:
    """The comparisons called ``names``, each measurement in a process of its own."""
    whole = [_PROTOCOLS[name] for name in _PROTOCOLS if name in names]
    rates = {rate for each in whole for rate in each.rates}
    wanted = [name for name in CASES if name in names or name in rates]
    bar = tqdm(total=2 * len(wanted) + len(whole), unit="measurement", disable=not sys.stderr.isatty())
    found: dict[str, Comparison] = {}
    for name in wanted:
        case = CASES[name]
        bar.set_postfix_str(name)
        slow = alone(case.naive, setting)
        bar.update()
        found[name] = Comparison(name, case.what, slow, alone(case.engine, setting), case.target)
        bar.update()
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache_dir()) as cache:  # has room for features
        for each in whole:
            bar.set_postfix_str(each.name)
            slow = each.naive(setting, *(found[rate].naive for rate in each.rates))
            fast = alone(each.engine, setting, Path(cache))
            found[each.name] = Comparison(each.name, each.what, slow, fast, each.target)
            bar.update()
    bar.close()
    return [found[name] for name in (*CASES, *_PROTOCOLS) if name in names]
