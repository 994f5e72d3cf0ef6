"""The configuration of a run as it is written to its result file: every default filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from clbench.core.config import RunConfig
from clbench.core.notes import Note
from clbench.core.scenario import Protocol, Stream
from clbench.engine.registry import arguments_of, import_path
from clbench.methods.learner import ContinualLearner


def resolved_config(
    config: RunConfig, learner: ContinualLearner, stream: Stream, protocol: Protocol
) -> dict[str, Any]:
    """The content of ``config`` in the result file."""
    defaults = arguments_of(type(learner))
    arguments = {**defaults, **config.arguments}
    changed = {name: value for name, value in arguments.items() if value != defaults[name]}
    return {
        "scenario": stream.scenario.name,
        "title": stream.scenario.title,
        "kind": stream.scenario.kind,
        "task_aware": stream.scenario.task_aware,
        "columns": list(stream.scenario.columns),
        "encoder": learner.context.encoder.name,
        "method": _method_name(config, learner, stream, changed),
        "baseline": import_path(type(learner)),
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
        "precision": str(learner.context.encoder.dtype).removeprefix("torch."),
        **dataclasses.asdict(protocol),
    }


def _method_name(
    config: RunConfig, learner: ContinualLearner, stream: Stream, changed: Mapping[str, Any]
) -> str:
    """The method with everything that makes it another one: arguments, precision, kind of stream.

    Tuned arguments make no other method.
    """
    silent = {*learner.info.named_arguments, *config.tuned}
    parts = [learner.variant, *(f"{name}={value}" for name, value in changed.items() if name not in silent)]
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
