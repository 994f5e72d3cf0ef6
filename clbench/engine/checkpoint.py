"""Checkpoints: the learner after each stage, beside the result file, until the run is done."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file

from clbench.core.costs import costs_from_json
from clbench.core.errors import UserError
from clbench.core.io import replacing
from clbench.core.result import RunResult
from clbench.engine.build import Run


def checkpoint_folder(run: Run) -> Path:
    """The folder of a run's checkpoints: beside its result file, until the run is done."""
    return run.path.with_suffix("")


def save(run: Run, stage: int) -> None:
    """Saves the learner after ``stage``, then the result; its number of stages names the checkpoint."""
    folder = checkpoint_folder(run)
    path = folder / f"stage{stage}.safetensors"
    metadata = {"asked_for": run.data.asked_for}
    with replacing(path) as temporary:
        tensors = {name: tensor.contiguous() for name, tensor in run.learner.state_dict().items()}
        save_file(tensors, temporary, metadata)
    run.result.write(run.path)
    for other in folder.glob("stage*.safetensors"):
        if other != path:
            other.unlink()


def is_done(run: Run) -> bool:
    """Whether the result file holds this run, finished, with the same configuration, data and weights."""
    return run.path.exists() and _is_same(run, RunResult.read(run.path), "done")


def _is_same(run: Run, earlier: RunResult, status: str) -> bool:
    return (
        earlier.status == status
        and compared(earlier.config) == compared(run.result.config)
        and earlier.provenance.get("fingerprints") == run.result.provenance["fingerprints"]
    )


def refuse_another(run: Run) -> None:
    """Refuses to overwrite the result of another configuration."""
    if not run.path.exists():
        return
    earlier, config = compared(RunResult.read(run.path).config), compared(run.result.config)
    different = [key for key in config if earlier.get(key) != config[key]]
    if different:
        raise UserError(
            f"{run.path} holds a run with another {' and '.join(different)}; choose another --results folder"
        )


def resume(run: Run) -> int:
    """Restores an unfinished run of the same configuration; returns the number of finished stages."""
    if not run.path.exists():
        return 0
    earlier = RunResult.read(run.path)
    path = checkpoint_folder(run) / f"stage{earlier.stages - 1}.safetensors"
    if not _is_same(run, earlier, "running") or not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        metadata = file.metadata()
    run.learner.load_state_dict(tensors)
    run.data.was_asked_for(metadata["asked_for"])
    run.result = dataclasses.replace(earlier, config=run.result.config, provenance=run.result.provenance)
    run.meter.earlier = earlier.costs["wall_seconds"]
    run.meter.costs.update(costs_from_json(earlier.costs))
    return earlier.stages


def compared(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration as read from a file, without the keys that are only wording: title and notes."""
    plain = json.loads(json.dumps(config))  # tuples become lists
    return {key: value for key, value in plain.items() if key not in ("title", "notes")}
