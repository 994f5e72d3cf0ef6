"""One run: the explicit loop over experiences, with the result file rewritten after each."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
from tqdm import tqdm

from clbench.core.costs import Cost, Meter, costs_to_json, peak_bytes, reset_peak
from clbench.core.device import one_thread
from clbench.core.result import RunResult
from clbench.core.seeding import derive, seeded
from clbench.data.stream import generic_texts
from clbench.engine.build import Run
from clbench.engine.checkpoint import checkpoint_folder, refuse_another, resume, save
from clbench.methods.learner import TextReader
from clbench.tracking.live import Tracker
from clbench.tracking.losses import EVERY as LOSS_EVERY


def execute(
    run: Run,
    *,
    progress: bool = False,
    replace: bool = False,
    on_stage: Callable[[int, RunResult], None] | None = None,
) -> RunResult:
    """Trains on each stage, evaluates on all experiences after it, and keeps the result file up to date.

    A run that was stopped goes on after the last experience that it finished; everything random follows
    from the seed and the stage, so that the outcome is that of a run that was never stopped.

    Args:
        run: From ``prepare``.
        progress: Whether to show progress bars.
        replace: Write over a result of another configuration at the same place, instead of refusing to.
        on_stage: Called after each stage with its number and the result so far.

    Raises:
        UserError: The result file holds a run of another configuration.
    """
    if not replace:
        refuse_another(run)
    quiet_lightning()
    reset_peak()
    learner, data, config = run.learner, run.data, run.config
    tracker = Tracker(config, run.result, run.path)
    meter = Meter(lambda: data.adjustment - Cost(tracker.seconds))
    checkpoint = config.checkpoint and not config.single  # short, and each experience begins afresh
    done = resume(run, meter) if checkpoint else 0
    tracker.start(go_on=done > 0)
    try:
        if not done:
            with meter.phase("keys"):
                _begin_stream(run)
            if config.single:
                run.fresh = {name: each.clone() for name, each in learner.state_dict().items()}
        data.enter(0, learner.network.prefix)
        if run.result.untrained is None:
            with meter.phase("evaluate"):
                run.result.untrained = _evaluate(run)
        stages = range(done, len(run.stream.stages))
        for stage in tqdm(stages, desc=run.result.config["method"], unit="experience", disable=not progress):
            _train_stage(run, stage, meter, tracker.lightning, progress)
            with meter.phase("evaluate"):
                run.result.counts.append(_evaluate(run, stage))
            if stage == len(run.stream.stages) - 1:
                run.result.status = "done"
            run.result.costs = _costs(run, meter)
            if checkpoint and run.result.status != "done":
                save(run, stage)
            run.result.write(run.path)
            tracker.stage()
            if on_stage is not None:
                on_stage(stage, run.result)
    except Exception as error:
        run.result.status = "failed"
        run.result.error = f"{type(error).__name__}: {error}".splitlines()[0]
        run.result.costs = _costs(run, meter)
        run.result.write(run.path)
        raise
    finally:
        tracker.end()
    shutil.rmtree(checkpoint_folder(run), ignore_errors=True)
    return run.result


def _begin_stream(run: Run) -> None:
    """Gives the learner the texts that it asks for before the stream begins, if any."""
    learner, data = run.learner, run.data
    if learner.reads_at_start is None:
        return
    reader: TextReader = (
        data.reader()
        if learner.reads_at_start == "stream"
        else data.generic_reader(generic_texts(run.config.data_dir, run.config.generic_corpus))
    )
    learner.generator.manual_seed(derive(run.config.seed, "begin"))
    with seeded(derive(run.config.seed, "begin")):
        learner.begin_stream(reader)


def _train_stage(run: Run, stage: int, meter: Meter, logger: Any, progress: bool) -> None:
    learner, data, seed = run.learner, run.data, run.config.seed
    experience, reader = run.stream.stages[stage], data.reader(stage)
    before = dict(meter.costs)
    if run.config.single and stage:
        learner.load_state_dict(run.fresh)
    learner.generator.manual_seed(derive(seed, "learner", stage))
    with seeded(derive(seed, "boundary", stage)), meter.phase("keys"):
        learner.begin_experience(experience, reader)
    data.enter(stage, learner.network.prefix)
    trainer = _trainer(data.protocol.epochs, logger, progress)
    if not learner.gradient_free:
        with seeded(derive(seed, "train", stage)), meter.phase("train"):
            learner.train()
            loader = data.train_dataloader()  # encodes what is not encoded yet, with all threads
            trainer.log_every_n_steps = min(LOSS_EVERY, len(loader))  # type: ignore[attr-defined]
            with one_thread(learner.network.prefix is not None):
                trainer.fit(learner, train_dataloaders=loader)
    # Consolidation has its own random state: a method whose consolidation does nothing is naive training.
    with seeded(derive(seed, "consolidate", stage)), meter.phase("consolidate"):
        learner.end_experience(experience, reader)
    with seeded(derive(seed, "diagnose", stage)):
        diagnosis = learner.diagnose(experience, reader)
    if diagnosis:
        run.result.diagnostics.setdefault("experiences", []).append({"name": experience.name, **diagnosis})
    spent = {phase: meter.costs[phase] - before[phase] for phase in ("keys", "train", "consolidate")}
    seconds = {phase: cost.seconds for phase, cost in spent.items()}
    flops = {phase: cost.flops + cost.prefix_flops for phase, cost in spent.items()}
    run.result.experiences.append(
        {
            "name": experience.name,
            "examples": len(experience.splits["train"]),
            "validation_examples": len(experience.splits["validation"]),
            "test_examples": len(experience.splits["test"]),
            "steps": trainer.global_step,
            "seconds": {**seconds, "train_per_epoch": seconds["train"] / max(1, data.protocol.epochs)},
            "flops": {**flops, "train_per_epoch": flops["train"] // max(1, data.protocol.epochs)},
        }
    )


def _trainer(epochs: int, logger: Any, progress: bool) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        logger=logger or False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        devices=1,
    )


def _evaluate(run: Run, stage: int | None = None) -> np.ndarray:
    """Confusion counts (T, C, C) on the test texts of every experience, after a stage or before any."""
    data = run.data
    loaders = data.test_dataloader() if run.config.split == "test" else data.val_dataloader()
    with one_thread(run.learner.network.prefix is not None):
        _trainer(1, None, False).test(run.learner, dataloaders=loaders, verbose=False)
    counts: np.ndarray = run.learner.take_counts().numpy()
    if run.config.single and stage is not None:
        # This learner answers for its own experience; those before it for theirs.
        before = run.result.counts[-1] if run.result.counts else run.result.untrained
        assert before is not None
        own = before.copy()
        own[stage] = counts[stage]
        return own
    return counts


def _costs(run: Run, meter: Meter) -> dict[str, Any]:
    learner = run.learner
    costs = meter.costs | {"encode": run.data.encode_cost}
    trainable = sum(parameter.numel() for _, parameter in learner.named_trainable())
    kept = learner.carried_bytes()
    if run.config.single:
        kept = {kind: size * len(run.result.counts) for kind, size in kept.items()}
    encoder = learner.context.encoder.parameters if learner.network.prefix is not None else 0
    return {
        **costs_to_json(costs),
        "wall_seconds": meter.wall,  # on this machine, with what was on disk already
        "parameters": {
            "trainable": trainable,
            "total": encoder + sum(parameter.numel() for parameter in learner.parameters()),
            "changed_per_step": learner.changed_per_step,
        },
        "carried_bytes": kept,
        "peak_bytes": peak_bytes(),
    }


def quiet_lightning() -> None:
    """Keeps Lightning's notes about devices and unused features out of the summary of a run."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
