"""What a run and each of its stages cost, as it stands in the result file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clbench.core.costs import Cost, Phase, costs_to_json, peak_bytes
from clbench.core.scenario import Stage
from clbench.engine.build import Run
from clbench.engine.training import Trained
from clbench.models.parameter_count import parameter_count

STAGE_PHASES: tuple[Phase, ...] = ("keys", "train", "validate", "consolidate")


def costs_of_stage(run: Run, stage: Stage, before: Mapping[Phase, Cost], trained: Trained) -> dict[str, Any]:
    """The entry of a stage: its sizes, optimizer steps, and what its phases cost.

    Args:
        run: The run, after the stage was consolidated.
        stage: The stage.
        before: What each phase had cost before the stage.
        trained: What its training was.
    """
    spent = {phase: run.meter.costs[phase] - before[phase] for phase in STAGE_PHASES}
    seconds = {phase: cost.seconds for phase, cost in spent.items()}
    flops = {phase: cost.flops + cost.prefix_flops for phase, cost in spent.items()}
    epochs = max(1, trained.epochs)
    splits = stage.experience.splits
    return {
        "name": stage.experience.name,
        "examples": len(splits["train"]),
        "validation_examples": len(splits["validation"]),
        "test_examples": len(splits["test"]),
        "steps": trained.steps,
        **({"early_stopping": trained.early_stopping} if trained.early_stopping else {}),
        "seconds": {**seconds, "train_per_epoch": seconds["train"] / epochs},
        "flops": {**flops, "train_per_epoch": flops["train"] // epochs},
    }


def costs_of_run(run: Run) -> dict[str, Any]:
    """The costs of a run so far: see the cost contract in the documentation."""
    learner = run.learner
    frozen = parameter_count(learner.context.encoder) if learner.network.prefix is not None else 0
    # A fresh learner of each stage must be kept for the experiences that it answers for.
    learners = max(1, sum(stage.fresh for stage in run.stream.stages[: run.result.stages]))
    return {
        **costs_to_json(run.meter.so_far()),
        "wall_seconds": run.meter.wall,  # on this machine, with what was cached already
        "parameters": {
            "trainable": sum(parameter.numel() for _, parameter in learner.named_trainable()),
            "total": frozen + sum(parameter.numel() for parameter in learner.parameters()),
            "changed_per_step": run.changed_per_step,
        },
        "carried_bytes": {kind: size * learners for kind, size in learner.carried_bytes().items()},
        "peak_bytes": peak_bytes(),
    }
