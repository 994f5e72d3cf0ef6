"""One run: a loop over experiences that begins, trains, consolidates, evaluates, saves and reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from lightning.fabric import Fabric
from tqdm import tqdm

from clbench.core.console import SafeStream
from clbench.core.costs import Cost, Phase, reset_peak
from clbench.core.device import one_thread
from clbench.core.errors import StoppedError
from clbench.core.io import check_folder
from clbench.core.result import RunResult
from clbench.core.result_paths import compressed_path
from clbench.core.scenario import Stage
from clbench.core.seeding import derive, seeded
from clbench.core.shared_folder import remove_unused
from clbench.core.types import OnProgress
from clbench.engine.build import Run
from clbench.engine.checkpoint import Checkpoint, Checkpoints, Within
from clbench.engine.earlier import make_way
from clbench.engine.early_stopping import EarlyStopping
from clbench.engine.encoder_drift import drift_encoder
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.progress import StepBar, report_stage
from clbench.engine.run_costs import costs_of_run, costs_of_stage
from clbench.engine.scoring import readable_texts, scoring_of
from clbench.engine.training import Trained, Training
from clbench.methods.learner import TextReader
from clbench.tracking.live import Tracker


def execute(
    run: Run,
    *,
    progress: bool = False,
    replace: bool = False,
    on_stage: Callable[[int, RunResult], None] | None = None,
    on_progress: OnProgress | None = None,
    diagnose: bool = True,
) -> RunResult:
    """Trains on each stage, evaluates after it, and keeps the result file up to date.

    A run that was stopped or failed goes on from its last checkpoint. Everything random follows from the seed
    and the stage, so the outcome is that of a run that was never stopped. What is printed or logged on the
    way cannot fail the run. A result that is there and done is replaced when this one is done, not before.

    Args:
        run: From ``prepare``.
        progress: Whether to show progress bars.
        replace: Write over a result of another configuration at the same place, instead of refusing to.
        on_stage: Called after each stage with its index and the result so far; what fails to print there is
            a warning.
        on_progress: Is told of the steps of training.
        diagnose: Whether learners say what they have to say about themselves, which changes nothing else.

    Raises:
        UserError: The result file holds a run of another configuration or a finished one on other data, or
            its folder cannot be written.
        StoppedError: A file cannot be written any more; the same run goes on later.
        FloatingPointError: A loss, a parameter or a score is not a finite number.
    """
    make_way(run, replace=replace)
    check_folder(run.path.parent, "option results")
    reset_peak()
    run.meter.start()
    checkpoints = Checkpoints(run)
    found = checkpoints.find()
    if found is not None:
        given = run.result
        run.result = dataclasses.replace(found.result, config=given.config, provenance=given.provenance)
    tracker = Tracker(run.config, run.result, run.path, run.meter)
    steps_bar = StepBar(show=progress, on_progress=on_progress)
    bar_options = {"desc": run.result.config["method"], "unit": "experience", "disable": not progress}
    with _recorded(run, tracker, checkpoints, resumed=found is not None):
        fabric = make_fabric(tracker.losses, run.encoder.dtype)
        attach(run.learner, fabric)
        within = begin(run, checkpoints, found)
        stages = range(run.result.stages, len(run.stream.stages))
        for index in tqdm(stages, **bar_options, file=SafeStream()):
            stage = run.stream.stages[index]
            with _named(f"experience {index + 1} of {stages.stop} ({stage.experience.name})"):
                drift_encoder(run, index)
                before = dict(run.meter.costs if within is None else within.before)
                if within is None:
                    begin_stage(run, index, stage)
                trained = train(run, index, fabric, steps_bar, _saving(checkpoints, before), within)
                within = None
                consolidate(run, index, stage)
                if diagnose:
                    record_diagnosis(run, index, stage)
                run.result.experiences.append(costs_of_stage(run, stage, before, trained))
                scoring_of(run).stage(run, stage)
                finish_stage(run, index, checkpoints)
            tracker.stage()
            if on_stage is not None:
                report_stage(on_stage, index, run.result)
    checkpoints.clear()
    compressed_path(run.path).unlink(missing_ok=True)  # the one that this one replaces
    if run.again:  # what it replaces may not have been finished
        remove_unused(run.path.with_suffix(""))
    return run.result


def begin(run: Run, checkpoints: Checkpoints, found: Checkpoint | None) -> Within | None:
    """Begins the stream, or restores what was saved of it; returns the place within an experience, if any."""
    fresh = any(stage.fresh for stage in run.stream.stages)
    if found is None or fresh:  # later learners start like the first one
        begin_stream(run)
    if fresh:
        run.start = {name: each.clone() for name, each in run.learner.state_dict().items()}
    if found is None:
        evaluate_untrained(run)
        return None
    checkpoints.restore(found)
    return found.within


def _saving(checkpoints: Checkpoints, before: Mapping[Phase, Cost]) -> Callable[[Training], None]:
    """Saves the training of a stage whenever that is due."""

    def save(training: Training) -> None:
        if checkpoints.due():
            checkpoints.save(Within(before, training.state_dict()))

    return save


def begin_stream(run: Run) -> None:
    """Gives the learner the texts that it asks for before the stream begins, if any."""
    learner, data, seed = run.learner, run.data, run.config.seed
    if learner.info.reads_at_start is not None:
        reader: TextReader = (
            data.reader()
            if learner.info.reads_at_start == "stream"
            else data.generic_reader(readable_texts(run))
        )
        learner.generator.manual_seed(derive(seed, "begin"))
        with seeded(derive(seed, "begin")), run.meter.phase("keys"):
            learner.begin_stream(reader)


def begin_stage(run: Run, index: int, stage: Stage) -> None:
    """Prepares the learner for a stage, with the texts of the stage at hand."""
    learner, seed = run.learner, run.config.seed
    if stage.fresh:
        learner.load_state_dict(run.start)
    learner.generator.manual_seed(derive(seed, "learner", index))
    with seeded(derive(seed, "boundary", index)), run.meter.phase("keys"):
        learner.begin_experience(stage.experience, run.data.reader(index))


def train(
    run: Run,
    index: int,
    fabric: Fabric,
    bar: StepBar,
    on_report: Callable[[Training], None] = lambda training: None,
    within: Within | None = None,
) -> Trained:
    """Trains on a stage.

    Args:
        run: The run.
        index: Of the stage.
        fabric: From ``make_fabric``.
        bar: Shows the steps.
        on_report: See ``Training``.
        within: Where the training was stopped.
    """
    learner, data = run.learner, run.data
    if learner.info.gradient_free:
        return Trained()
    with seeded(derive(run.config.seed, "train", index)), run.meter.phase("train"):
        batches = data.stage_train_dataloader(index)  # encodes what is not encoded yet, with all threads
        small = batches.texts.flops is not None
        training = Training(learner, fabric, run.meter, bar, small=small, on_report=on_report)
        stopping = early_stopping(run, index)
        with one_thread(learner.network.prefix is not None):
            earlier = None if within is None else within.training
            trained = training.fit(batches, data.protocol.epochs, stopping, earlier)
    run.changed_per_step = trained.changed_per_step
    return trained


def early_stopping(run: Run, index: int) -> EarlyStopping | None:
    """Early stopping of a stage on its validation texts; None where its training is not to stop early.

    A pass over validation texts is evaluation in a phase of its own, and leaves the random state alone.
    """
    learner, data, patience = run.learner, run.data, run.data.protocol.patience
    if patience is None:
        return None

    def accuracy() -> float:
        with run.meter.phase("validate"):
            found = scoring_of(run).quality(run, batches)
        learner.train()
        return found

    with run.meter.phase("validate"):
        batches = data.stage_val_dataloader(index)
    return EarlyStopping(learner, patience, accuracy)


def consolidate(run: Run, index: int, stage: Stage) -> None:
    """Lets the learner consolidate a stage.

    Consolidation has its own random state: a method whose consolidation does nothing is naive training.
    """
    learner, seed, reader = run.learner, run.config.seed, run.data.reader(index)
    with seeded(derive(seed, "consolidate", index)), run.meter.phase("consolidate"):
        learner.end_experience(stage.experience, reader)


def record_diagnosis(run: Run, index: int, stage: Stage) -> None:
    """Records what the learner has to say about itself after a stage."""
    with seeded(derive(run.config.seed, "diagnose", index)):
        diagnosis = run.learner.diagnose(stage.experience, run.data.reader(index))
    if diagnosis:
        entries = run.result.diagnostics.setdefault("experiences", [])
        entries.append({"name": stage.experience.name, **diagnosis})


def evaluate_untrained(run: Run) -> None:
    """Evaluates the learner before any training: the baseline of forward transfer."""
    scoring_of(run).untrained(run)


def finish_stage(run: Run, index: int, checkpoints: Checkpoints) -> None:
    """Writes the result so far, and the checkpoint from which the run can go on.

    Raises:
        StoppedError: They cannot be written.
    """
    if index < len(run.stream.stages) - 1:
        checkpoints.save()
        return
    scoring_of(run).finish(run)
    run.result.status = "done"
    run.result.costs = costs_of_run(run)
    checkpoints.finish()


@contextmanager
def _named(experience: str) -> Iterator[None]:
    """Names the experience in which a number became infinite, or no number at all."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{experience}, {error}") from error


@contextmanager
def _recorded(run: Run, tracker: Tracker, checkpoints: Checkpoints, *, resumed: bool) -> Iterator[None]:
    """Logs the run to Weights & Biases, and writes the result of a run that fails with its error.

    A run that fails before its first experience leaves nothing behind.
    """
    tracker.start(go_on=resumed)
    try:
        yield
    except StoppedError:
        raise
    except Exception as error:
        run.result.status = "failed"
        run.result.error = f"{type(error).__name__}: {error}".splitlines()[0]
        if run.result.untrained_accuracy is not None:
            run.result.costs = costs_of_run(run)
            with suppress(OSError):  # what failed first is said
                checkpoints.write_result(run.unfinished)
        raise
    finally:
        tracker.end()
        checkpoints.leave()
