"""The configuration of a run as it is written to its result file: every default filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clbench.core.config import RunConfig
from clbench.core.notes import Note
from clbench.core.scenario import Protocol, Stream
from clbench.core.types import Tuning
from clbench.engine.registry import arguments_of, baseline_class, import_path

if TYPE_CHECKING:  # both import torch, and a plan of runs does not
    from clbench.methods.learner import ContinualLearner
    from clbench.models.encoder import TextEncoder


def given_config(
    config: RunConfig, encoder: TextEncoder, stream: Stream, protocol: Protocol
) -> dict[str, Any]:
    """What the result file holds of the configuration, without what only the learner knows.

    Runs that differ in none of this are the same run.
    """
    baseline = baseline_class(config.baseline)
    return {
        "scenario": stream.scenario.name,
        "title": stream.scenario.title,
        "kind": stream.scenario.kind,
        "task_aware": stream.scenario.task_aware,
        "columns": list(stream.scenario.columns),
        "encoder": encoder.name,
        "baseline": import_path(baseline),
        "arguments": {**arguments_of(baseline), **config.arguments},
        "tuned": config.tuned,
        "tuning": tuning_of(config),
        "stream": stream.kind,
        "experiences": config.experiences,
        "split": config.split,
        "generic_corpus": config.generic_corpus and str(config.generic_corpus),
        "order": config.order,
        "seed": config.seed,
        "weight_decay": config.weight_decay,
        "adapter_size": adapter_size_of(config),
        "adapter_placement": config.adapter_placement,
        "lora_rank": config.lora_rank,
        "pooling": config.pooling,
        "head": config.head,
        "precision": str(encoder.dtype).removeprefix("torch."),
        **({"prompt_length": prompt_length_of(config)} if tuning_of(config) == "prompt" else {}),
        **({"encoder_drift": drift} if (drift := stream.scenario.encoder_drift) is not None else {}),
        **({"continuations": config.continuations} if stream.scenario.task == "language-model" else {}),
        **dataclasses.asdict(protocol),
    }


def resolved_config(
    config: RunConfig, learner: ContinualLearner, stream: Stream, protocol: Protocol
) -> dict[str, Any]:
    """The content of ``config`` in the result file."""
    given = given_config(config, learner.context.encoder, stream, protocol)
    defaults = arguments_of(type(learner))
    changed = {name: value for name, value in given["arguments"].items() if value != defaults[name]}
    return {
        **given,
        "method": _method_name(config, learner, stream, changed),
        "name": learner.info.name or type(learner).__name__,
        "notes": [dataclasses.asdict(note) for note in _notes(learner, stream)],
        "lr": learner.lr,
    }


def tuning_of(config: RunConfig) -> Tuning:
    """The tuning of a run: the one that was asked for, or else the first one of its method."""
    return config.tuning or baseline_class(config.baseline).info.tunings[0]


def adapter_size_of(config: RunConfig) -> int:
    """The width of adapters of a run: the one that was asked for, or else that of its method."""
    return config.adapter_size or baseline_class(config.baseline).info.adapter_size


def prompt_length_of(config: RunConfig) -> int:
    """The vectors of a prompt of a run: as many as were asked for, or else as its method has."""
    return config.prompt_length or baseline_class(config.baseline).info.prompt_length


def _method_name(
    config: RunConfig, learner: ContinualLearner, stream: Stream, changed: Mapping[str, Any]
) -> str:
    """The method with everything that makes it another one: arguments, options, stream.

    Tuned values make no other method.
    """
    info = learner.info
    silent = {*info.named_arguments, *config.tuned}
    if config.lr not in (None, info.lr(learner.context.tuning, config.head)):
        changed = {**changed, "lr": config.lr}
    named = {name: value for name, value in changed.items() if name not in silent}
    by_value = [str(named.pop(name)) for name in info.named_by_value if name in named]
    head = [config.head] if config.head != "linear" else []
    parts = [learner.variant, *head, *by_value, *(f"{name}={value}" for name, value in named.items())]
    size = adapter_size_of(config)
    if learner.context.tuning == "adapter" and size != info.adapter_size:
        parts.append(f"adapter_size={size}")
    length = prompt_length_of(config)
    if learner.context.tuning == "prompt" and length != info.prompt_length:
        parts.append(f"prompt_length={length}")
    if config.pooling != "mean":
        parts.append(config.pooling)
    if config.precision != "auto":
        parts.append(config.precision)
    if stream.kind != "sequential":
        parts.append(stream.kind)
    return "-".join(parts)


def _notes(learner: ContinualLearner, stream: Stream) -> list[Note]:
    """What readers of a table must know of this method on this stream."""
    notes = [Note("deviation", text) for text in learner.info.deviations]
    if learner.info.reads_at_start == "stream":
        notes.append(Note("sees-future"))
    if stream.kind == "joint":
        notes.append(Note("upper-bound"))
    # Models of one experience each can only be chosen between by whoever knows the experience of a text.
    if stream.kind == "single" and not stream.scenario.task_aware:
        notes.append(Note("task-id-oracle"))
    return notes
