"""From the configuration of a run to all its parts: bad input is found here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from clbench.core.config import RunConfig
from clbench.core.costs import Meter
from clbench.core.io import cache_budget, cache_dir
from clbench.core.notes import Note
from clbench.core.provenance import provenance
from clbench.core.result import RunResult
from clbench.core.scenario import Protocol, Scenario, Stream
from clbench.data.datamodule import ScenarioDataModule
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream
from clbench.engine.registry import arguments_of, baseline_class, import_path
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.models.encoder import TextEncoder, load_encoder
from clbench.models.feature_cache import LAYOUT, FeatureCache


@dataclass
class Run:
    """A run with all its parts made: see ``prepare`` and ``execute``.

    Attributes:
        config: What was asked for.
        encoder: The pretrained encoder.
        stream: The experiences, and the stages of training that they make.
        data: Gives batches of the stream.
        learner: The method.
        result: What the result file will hold.
        path: The result file.
        meter: What the run costs.
        start: The learner's state before the first stage, from which each fresh learner starts.
    """

    config: RunConfig
    encoder: TextEncoder
    stream: Stream
    data: ScenarioDataModule
    learner: ContinualLearner
    result: RunResult
    path: Path
    meter: Meter
    start: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether it can go on after a stop; runs of fresh learners are short, and start over."""
        return self.config.checkpoint and self.stream.kind != "single"


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
    stream = load_stream(
        scenario,
        protocol,
        data_dir=config.data_dir,
        order=config.order,
        kind=config.stream_kind,
        first=config.experiences,
    )
    context = RunContext(
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
        cache = FeatureCache(cache_dir() / f"features-{LAYOUT}", budget=cache_budget(), progress=progress)
    meter = Meter()
    data = ScenarioDataModule(stream, encoder, protocol, cache=cache, seed=config.seed, meter=meter)
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
    source["datasets"] = stream.data
    source["experiment"] = config.wandb_group
    return Run(config, encoder, stream, data, learner, RunResult(resolved, source), path, meter)


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
    if stream.kind != "sequential":
        method += f"-{stream.kind}"
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
        "stream": stream.kind,
        "experiences": config.experiences,
        "split": config.split,
        "generic_corpus": config.generic_corpus and str(config.generic_corpus),
        "notes": [dataclasses.asdict(note) for note in _notes(learner, stream)],
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


def _notes(learner: ContinualLearner, stream: Stream) -> list[Note]:
    """What readers must know of this method on this stream."""
    notes = []
    if learner.reads_at_start == "stream":
        notes.append(Note("sees-future"))
    if stream.kind == "joint":
        notes.append(Note("upper-bound"))
    if learner.deviation:
        notes.append(Note("deviation", learner.deviation))
    # Only who knows the experience of a text can choose among models that have one experience each.
    if stream.kind == "single" and not stream.scenario.task_aware:
        notes.append(Note("task-id-oracle"))
    return notes
