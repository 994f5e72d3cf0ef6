"""``clbench run``: one method on one stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clbench.core.io import remove_leftovers
from clbench.engine.parser import parse_run
from clbench.engine.preflight import check_run

if TYPE_CHECKING:
    from clbench.core.result import RunResult


def main(arguments: Sequence[str]) -> int:
    """Runs and prints the accuracy after each experience, then where the result is."""
    config = parse_run(arguments)
    check_run(config)
    remove_leftovers(config.results)
    from clbench.engine.build import prepare  # imported after parsing: --help needs no torch
    from clbench.engine.loop import execute

    progress = sys.stderr.isatty()
    run = prepare(config, progress=progress)
    for name, facts in run.stream.data.items():
        for note in facts["notes"]:
            print(f"data {name}: {note}", flush=True)
    stages = len(run.stream.stages)

    def on_stage(stage: int, result: RunResult) -> None:
        name = result.experiences[stage]["name"]
        accuracy = result.stream_accuracy[stage]
        print(f"[{stage + 1}/{stages}] {name}: stream accuracy {accuracy:.4f}", flush=True)

    try:
        result = execute(run, progress=progress, on_stage=on_stage)
    except FloatingPointError as error:
        print(f"clbench: the run failed: {error}\nresult: {run.path}", file=sys.stderr)
        return 1
    measured = {name: value for name, value in result.metrics.items() if value is not None}
    print(", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in measured.items()))
    seconds, carried = result.costs["seconds"], result.costs["carried_bytes"]["total"]
    phases = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if name != "total")
    print(f"{seconds['total']:.1f} s ({phases}); {carried / 2**20:.2f} MiB carried")
    print(f"result: {run.path}")
    return 0
