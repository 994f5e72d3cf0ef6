"""One run: the explicit loop over experiences, with the result file rewritten after each."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from clbench import logs
from clbench.adapter import Placement
from clbench.catalogue import find_scenario
from clbench.cost import Stopwatch, peak_bytes, reset_peak
from clbench.datamodule import ScenarioDataModule
from clbench.device import Dtype, one_thread
from clbench.encoder import TextEncoder, load_encoder
from clbench.errors import UserError
from clbench.features import FeatureCache
from clbench.files import cache_budget, cache_dir, replacing
from clbench.learner import ContinualLearner, TextReader
from clbench.network import Context, Tuning
from clbench.registry import arguments_of, baseline_class, import_path
from clbench.result import RunResult, provenance
from clbench.scenario import Protocol, Scenario, Stream
from clbench.seeding import derive, seeded
from clbench.streams import general_texts, load_stream


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run. None takes the scenario's or the method's own value.

    Attributes:
        scenario: Which stream of texts.
        baseline: Which method, by name or import path.
        arguments: The method's own arguments.
        tuned: Which of them a search chose: they do not make another method of it.
        encoder: Which pretrained encoder, by name or local directory.
        tuning: Which of its parameters train.
        joint: Train on all experiences at once: the upper bound.
        single: A fresh learner for each experience, which answers for that experience alone.
        experiences: Only the first so many experiences of the stream.
        split: The texts that accuracy is measured on.
        seed: Everything random follows from it.
        order: Order of the experiences: 0 as declared, or random:SEED.
        epochs: Passes over the training texts of each experience.
        batch_size: Texts per step.
        max_tokens: Longer texts are cut.
        draws: Texts drawn with replacement per epoch, instead of each once.
        train_per_class: At most this many training texts per class and experience.
        test_per_class: The same for validation and test texts.
        lr: Learning rate.
        weight_decay: Of AdamW.
        adapter_size: Width of the bottleneck adapters.
        adapter_placement: After attention and feed-forward part (houlsby), or the latter alone (pfeiffer).
        lora_rank: Rank of the low-rank updates.
        threads: Threads for torch; None leaves torch's choice.
        dtype: Precision of frozen encoders: auto is bfloat16 where that is fast, float32 elsewhere.
        data_dir: The folder of JSON lines, for scenarios that read one.
        general: A folder of text for methods that read text of no scenario; None is wiki under data_dir,
            or else documentation that no scenario asks about.
        results: Where the result file goes.
        wandb: Logging to Weights & Biases.
        checkpoint: Keep the learner after each experience until the run is done, to go on after a stop.
        cache_features: Compute frozen features once per text; without, batch by batch as they are needed.
    """

    scenario: str
    baseline: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tuned: tuple[str, ...] = ()
    encoder: str = "minilm"
    tuning: Tuning | None = None
    joint: bool = False
    single: bool = False
    experiences: int | None = None
    split: Literal["test", "validation"] = "test"
    seed: int = 0
    order: str = "0"
    epochs: int | None = None
    batch_size: int | None = None
    max_tokens: int | None = None
    draws: int | None = None
    train_per_class: int | None = None
    test_per_class: int | None = None
    lr: float | None = None
    weight_decay: float = 0.01
    adapter_size: int = 64
    adapter_placement: Placement = "houlsby"
    lora_rank: int = 8
    threads: int | None = None
    dtype: Dtype = "auto"
    data_dir: Path | None = None
    general: Path | None = None
    results: Path = Path("runs")
    wandb: logs.WandbMode = "disabled"
    checkpoint: bool = True
    cache_features: bool = True

    def protocol(self, default: Protocol) -> Protocol:
        """The scenario's protocol with this run's overrides."""
        names = [each.name for each in dataclasses.fields(Protocol)]
        given = {name: value for name in names if (value := getattr(self, name, None)) is not None}
        return dataclasses.replace(default, **given)


@dataclass
class Run:
    """A run with all its parts made: see ``prepare`` and ``execute``."""

    config: RunConfig
    encoder: TextEncoder
    stream: Stream
    data: ScenarioDataModule
    learner: ContinualLearner
    result: RunResult
    path: Path
    fresh: dict[str, torch.Tensor] = field(default_factory=dict)


def prepare(config: RunConfig, *, progress: bool = False, scenario: Scenario | None = None) -> Run:
    """Finds and loads what a run needs; bad input is found here, before anything is written.

    Args:
        config: What to run.
        progress: Whether to show progress bars.
        scenario: One that is declared nowhere; None is the declared one of that name.

    Raises:
        UserError: Whatever is wrong with the configuration or the data, in one line.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    baseline = baseline_class(config.baseline)
    if scenario is None:
        scenario = find_scenario(config.scenario)
    encoder = load_encoder(config.encoder, config.dtype)
    protocol = config.protocol(scenario.protocol)
    if config.joint and config.single:
        raise UserError("options joint and single exclude each other")
    stream = load_stream(
        scenario,
        protocol,
        data_dir=config.data_dir,
        order=config.order,
        joint=config.joint,
        first=config.experiences,
    )
    context = Context(
        encoder=encoder,
        columns=len(scenario.columns),
        experiences=len(stream),
        task_aware=scenario.task_aware,
        max_tokens=protocol.max_tokens,
        batch_size=protocol.batch_size,
        tuning=config.tuning or baseline.tunings[0],
        lr=config.lr,
        weight_decay=config.weight_decay,
        adapter_size=config.adapter_size,
        adapter_placement=config.adapter_placement,
        lora_rank=config.lora_rank,
        seed=config.seed,
    )
    learner = baseline(context, **config.arguments)
    cache = None
    if config.cache_features:
        cache = FeatureCache(cache_dir() / "features", budget=cache_budget(), progress=progress)
    data = ScenarioDataModule(stream, encoder, protocol, cache=cache, seed=config.seed)
    resolved = _resolved(config, learner, stream, protocol)
    order = str(config.order).replace(":", "-")
    path = config.results / scenario.name / encoder.name / resolved["method"]
    path = path / f"order{order}-seed{config.seed}.json"
    source = provenance(
        {
            "data": stream.fingerprint,
            "encoder": encoder.fingerprint,
            "dtype": str(encoder.dtype).removeprefix("torch."),
        },
        torch.get_num_threads(),
    )
    return Run(config, encoder, stream, data, learner, RunResult(resolved, source), path)


def _resolved(
    config: RunConfig, learner: ContinualLearner, stream: Stream, protocol: Protocol
) -> dict[str, Any]:
    """The configuration as it stands in the result file, with every default filled in."""
    baseline = type(learner)
    defaults = arguments_of(baseline)
    arguments = {**defaults, **config.arguments}
    method = learner.variant
    for name, value in arguments.items():
        # An argument away from its default makes another method.
        if value != defaults[name] and name not in baseline.in_variant and name not in config.tuned:
            method += f"-{name}={value}"
    if config.dtype != "auto":
        method += f"-{config.dtype}"
    if config.joint or config.single:
        method += "-joint" if config.joint else "-single"
    marks = ["future"] * (learner.reads_at_start == "stream") + ["upper-bound"] * config.joint
    # A model per experience can only be asked by whoever knows the experience.
    marks += ["told"] * (config.single and not stream.scenario.task_aware)
    return {
        "scenario": stream.scenario.name,
        "title": stream.scenario.title,
        "kind": stream.scenario.kind,
        "task_aware": stream.scenario.task_aware,
        "columns": list(stream.scenario.columns),
        "encoder": learner.context.encoder.name,
        "method": method,
        "baseline": import_path(baseline),
        "arguments": arguments,
        "tuned": config.tuned,
        "tuning": learner.context.tuning,
        "joint": config.joint,
        "single": config.single,
        "experiences": config.experiences,
        "split": config.split,
        "general": config.general and str(config.general),
        "notes": marks,
        "order": config.order,
        "seed": config.seed,
        "lr": learner.lr,
        "weight_decay": config.weight_decay,
        "adapter_size": config.adapter_size,
        "adapter_placement": config.adapter_placement,
        "lora_rank": config.lora_rank,
        "dtype": str(learner.context.encoder.dtype).removeprefix("torch."),
        **dataclasses.asdict(protocol),
    }


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
        _refuse_another(run)
    logs.quiet_lightning()
    reset_peak()
    learner, data, config = run.learner, run.data, run.config
    watch = Stopwatch(outside=lambda: data.seconds_waited - data.seconds_saved)
    checkpoint = config.checkpoint and not config.single  # short, and each experience begins afresh
    done = _resume(run, watch) if checkpoint else 0
    logger = logs.wandb_logger(config.wandb, run.result.config, config.results)
    names = [experience.name for experience in run.stream.experiences]
    try:
        if not done:
            with watch.phase("keys"):
                _begin_stream(run)
            if config.single:
                run.fresh = {name: each.clone() for name, each in learner.state_dict().items()}
        data.enter(0, learner.network.stem)
        if run.result.untrained is None:
            with watch.phase("evaluate"):
                run.result.untrained = _evaluate(run)
        stages = range(done, len(run.stream.stages))
        for stage in tqdm(stages, desc=run.result.config["method"], unit="experience", disable=not progress):
            _train_stage(run, stage, watch, logger, progress)
            with watch.phase("evaluate"):
                run.result.counts.append(_evaluate(run, stage))
            if stage == len(run.stream.stages) - 1:
                run.result.status = "done"
            run.result.costs = _costs(run, watch)
            if checkpoint and run.result.status != "done":
                _save(run, stage)
            run.result.write(run.path)
            logs.log_stage(logger, run.result.to_json(), names)
            if on_stage is not None:
                on_stage(stage, run.result)
    except Exception as error:
        run.result.status = "failed"
        run.result.error = f"{type(error).__name__}: {error}".splitlines()[0]
        run.result.costs = _costs(run, watch)
        run.result.write(run.path)
        raise
    finally:
        logs.log_end(logger, run.result.to_json())
    shutil.rmtree(_checkpoints(run), ignore_errors=True)
    return run.result


def _begin_stream(run: Run) -> None:
    """Gives the learner the texts that it asks for before the stream begins, if any."""
    learner, data = run.learner, run.data
    if learner.reads_at_start is None:
        return
    reader: TextReader = (
        data.reader()
        if learner.reads_at_start == "stream"
        else data.general_reader(general_texts(run.config.data_dir, run.config.general))
    )
    learner.generator.manual_seed(derive(run.config.seed, "begin"))
    with seeded(derive(run.config.seed, "begin")):
        learner.begin_stream(reader)


def _train_stage(run: Run, stage: int, watch: Stopwatch, logger: Any, progress: bool) -> None:
    learner, data, seed = run.learner, run.data, run.config.seed
    experience, reader = run.stream.stages[stage], data.reader(stage)
    before = dict(watch.seconds)
    if run.config.single and stage:
        learner.load_state_dict(run.fresh)
    learner.generator.manual_seed(derive(seed, "learner", stage))
    with seeded(derive(seed, "boundary", stage)), watch.phase("keys"):
        learner.begin_experience(experience, reader)
    data.enter(stage, learner.network.stem)
    trainer = _trainer(data.protocol.epochs, logger, progress)
    if not learner.gradient_free:
        with seeded(derive(seed, "train", stage)), watch.phase("train"):
            learner.train()
            loader = data.train_dataloader()  # encodes what is not encoded yet, with all threads
            with one_thread(learner.network.stem is not None):
                trainer.fit(learner, train_dataloaders=loader)
    # Consolidation has its own random state: a method whose consolidation does nothing is naive training.
    with seeded(derive(seed, "consolidate", stage)), watch.phase("consolidate"):
        learner.end_experience(experience, reader)
    with seeded(derive(seed, "diagnose", stage)):
        diagnosis = learner.diagnose(experience, reader)
    if diagnosis:
        run.result.diagnostics.setdefault("experiences", []).append({"name": experience.name, **diagnosis})
    seconds = {phase: watch.seconds[phase] - before[phase] for phase in ("keys", "train", "consolidate")}
    run.result.experiences.append(
        {
            "name": experience.name,
            "examples": len(experience.splits["train"]),
            "validation_examples": len(experience.splits["validation"]),
            "test_examples": len(experience.splits["test"]),
            "steps": trainer.global_step,
            "seconds": {**seconds, "train_per_epoch": seconds["train"] / max(1, data.protocol.epochs)},
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
    with one_thread(run.learner.network.stem is not None):
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


def _costs(run: Run, watch: Stopwatch) -> dict[str, Any]:
    learner = run.learner
    seconds = {str(phase): spent for phase, spent in watch.seconds.items()}
    seconds["encode"] = run.data.encode_seconds
    trainable = sum(parameter.numel() for _, parameter in learner.named_trainable())
    kept = learner.carried_bytes()
    if run.config.single:
        kept = {kind: size * len(run.result.counts) for kind, size in kept.items()}
    encoder = learner.context.encoder.parameters if learner.network.stem is not None else 0
    return {
        "seconds": {**seconds, "total": sum(seconds.values())},
        "parameters": {
            "trainable": trainable,
            "total": encoder + sum(parameter.numel() for parameter in learner.parameters()),
            "changed_per_step": learner.changed_per_step,
        },
        "carried_bytes": kept,
        "peak_bytes": peak_bytes(),
    }


# -- stopping and going on ---------------------------------------------------------------------------


def _checkpoints(run: Run) -> Path:
    return run.path.with_suffix("")


def _save(run: Run, stage: int) -> None:
    """Keeps the learner as it is after ``stage``; the result file names the stage to go on from."""
    folder = _checkpoints(run)
    path = folder / f"stage{stage}.safetensors"
    cache = run.data.cache
    metadata = {} if cache is None else {"asked_for": cache.asked_for}
    with replacing(path) as temporary:
        tensors = {name: tensor.contiguous() for name, tensor in run.learner.state_dict().items()}
        save_file(tensors, temporary, metadata)
    run.result.write(run.path)
    for other in folder.glob("stage*.safetensors"):
        if other != path:
            other.unlink()


def is_done(run: Run) -> bool:
    """Whether the result file holds this very run, finished, on the same data and weights."""
    return run.path.exists() and _is_same(run, RunResult.read(run.path), "done")


def _is_same(run: Run, earlier: RunResult, status: str) -> bool:
    return (
        earlier.status == status
        and earlier.config == _plain(run.result.config)
        and earlier.provenance["fingerprints"] == run.result.provenance["fingerprints"]
    )


def _refuse_another(run: Run) -> None:
    """Never writes over a run that differs in anything but its outcome."""
    if not run.path.exists():
        return
    earlier, config = RunResult.read(run.path).config, _plain(run.result.config)
    different = [key for key in config if earlier.get(key) != config[key]]
    if different:
        raise UserError(
            f"{run.path} holds a run with another {' and '.join(different)}; choose another --results folder"
        )


def _resume(run: Run, watch: Stopwatch) -> int:
    """Takes up an unfinished run of the same configuration; returns the number of finished stages."""
    if not run.path.exists():
        return 0
    earlier = RunResult.read(run.path)
    path = _checkpoints(run) / f"stage{len(earlier.counts) - 1}.safetensors"
    if not _is_same(run, earlier, "running") or not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        metadata = file.metadata() or {}
    run.learner.load_state_dict(tensors)
    if run.data.cache is not None and "asked_for" in metadata:
        run.data.cache.was_asked_for(metadata["asked_for"])
    run.result.counts, run.result.untrained = earlier.counts, earlier.untrained
    run.result.experiences, run.result.diagnostics = earlier.experiences, earlier.diagnostics
    watch.seconds.update({phase: earlier.costs["seconds"][phase] for phase in watch.seconds})
    return len(earlier.counts)


def _plain(config: dict[str, Any]) -> Any:
    """The configuration as it comes back from a file: tuples are lists there."""
    return json.loads(json.dumps(config))
