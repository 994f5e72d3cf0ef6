"""``clbench run``: one method on one stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clbench.core.chance import is_at_chance
from clbench.core.console import SafeStream, say
from clbench.core.metrics import average_accuracy
from clbench.engine.parser import read_run, run_parser
from clbench.engine.preflight import check_run

if TYPE_CHECKING:
    from clbench.core.result import RunResult


def main(arguments: Sequence[str]) -> int:
    """Runs and prints the accuracy after each experience, then where the result is."""
    config, others = read_run(run_parser(), arguments)
    check_run(config)
    from clbench.engine.build import prepare  # imported after parsing: --help needs no torch
    from clbench.engine.earlier import finished
    from clbench.engine.loop import execute
    from clbench.engine.progress import ProgressLines

    progress = sys.stderr.isatty()
    on_progress = None if progress else ProgressLines()
    run = prepare(config, progress=progress, on_progress=on_progress)
    run.again = others.get("again", False)
    if not run.again and (earlier := finished(run)):
        say("this run is finished already; --again starts over")
        _summarize(earlier)
        return 0
    for name, facts in run.stream.data.items():
        for note in facts["notes"]:
            say(f"data {name}: {note}")
    if run.learner.info.reads_at_start == "stream":
        say(f"{run.result.config['method']} reads texts of experiences that are yet to come")
    stages = len(run.stream.stages)

    def on_stage(stage: int, result: RunResult) -> None:
        name = result.experiences[stage]["name"]
        if result.language:
            measured = f"bits per byte {result.language['stream'][stage]:.4f}"
        else:
            measured = f"stream accuracy {result.stream_accuracy[stage]:.4f}"
            if stages > 1:  # the stream has classes that were not learned yet
                seen = average_accuracy([result.accuracy[stage][: stage + 1]])
                measured = f"accuracy so far {seen:.4f}, {measured}"
        say(f"[{stage + 1}/{stages}] {name}: {measured}")

    try:
        result = execute(run, progress=progress, on_stage=on_stage, on_progress=on_progress)
    except FloatingPointError as error:
        SafeStream().write(f"clbench: the run failed: {error}\nresult: {run.path}\n")
        return 1
    _summarize(result)
    return 0


def _summarize(result: RunResult) -> None:
    if is_at_chance(result):
        say("at chance: the average accuracy is no better than that of always answering one class")
    measured = {name: value for name, value in result.metrics.items() if value is not None}
    say(", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in measured.items()))
    seconds, carried = result.costs["seconds"], result.costs["carried_bytes"]["total"]
    phases = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if name != "total")
    say(f"{seconds['total']:.1f} s ({phases}); {carried / 2**20:.2f} MiB carried")
    say(f"result: {result.path}")
