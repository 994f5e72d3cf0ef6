"""``clbench list``: the names that other commands accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clbench.core.arguments import Parser
from clbench.core.errors import UserError, unknown


def main(arguments: Sequence[str]) -> int:
    """Prints every group, or the one that is named."""
    parser = Parser("list", "Lists scenarios, baselines, experiments and encoders.", "clbench list baselines")
    parser.add_argument("group", nargs="?", help=f"one of {', '.join(GROUPS)}; without it, all of them")
    group = parser.read(arguments).group
    if group is not None and group not in GROUPS:
        raise unknown("group", group, GROUPS)
    for name in [group] if group else GROUPS:
        rows = GROUPS[name]()
        width = max(len(row[0]) for row in rows)
        print(f"{name}:")
        print("\n".join(f"  {first:<{width}}  {second}".rstrip() for first, second in rows))
    return 0


def _scenarios() -> list[tuple[str, str]]:
    from clbench.data.scenarios import SCENARIOS

    return [(scenario.name, scenario.title) for scenario in SCENARIOS.values()]


def _baselines() -> list[tuple[str, str]]:
    from clbench.engine.listing import method_rows
    from clbench.engine.registry import baseline_names

    return method_rows(baseline_names())


def _experiments() -> list[tuple[str, str]]:
    from clbench.studies.experiment import experiment_files, read_experiment

    rows = []
    for name, path in experiment_files().items():
        try:
            rows.append((name, read_experiment(path).title))
        except UserError as error:  # any folder may have files like these; the list says what they are
            rows.append((name, f"({error})"))
    return rows


def _encoders() -> list[tuple[str, str]]:
    from clbench.models.declared import ENCODERS

    return [(name, source.description) for name, source in ENCODERS.items()]


GROUPS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "scenarios": _scenarios,
    "baselines": _baselines,
    "experiments": _experiments,
    "encoders": _encoders,
}
