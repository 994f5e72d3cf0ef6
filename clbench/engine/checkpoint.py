"""Stopping a run and going on: the learner after each experience, beside the result file."""

from __future__ import annotations

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
    """Where the learner of an unfinished run is kept: beside its result file, until it is done."""
    return run.path.with_suffix("")


def save(run: Run, stage: int) -> None:
    """Keeps the learner as it is after ``stage``; the result file names the stage to go on from."""
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
    """Whether the result file holds this very run, finished, on the same data and weights."""
    return run.path.exists() and _is_same(run, RunResult.read(run.path), "done")


def _is_same(run: Run, earlier: RunResult, status: str) -> bool:
    return (
        earlier.status == status
        and earlier.config == _plain(run.result.config)
        and earlier.provenance["fingerprints"] == run.result.provenance["fingerprints"]
    )


def refuse_another(run: Run) -> None:
    """Never writes over a run that differs in anything but its outcome."""
    if not run.path.exists():
        return
    earlier, config = RunResult.read(run.path).config, _plain(run.result.config)
    different = [key for key in config if earlier.get(key) != config[key]]
    if different:
        raise UserError(
            f"{run.path} holds a run with another {' and '.join(different)}; choose another --results folder"
        )


def resume(run: Run) -> int:
    """Takes up an unfinished run of the same configuration; returns the number of finished stages."""
    if not run.path.exists():
        return 0
    earlier = RunResult.read(run.path)
    path = checkpoint_folder(run) / f"stage{len(earlier.counts) - 1}.safetensors"
    if not _is_same(run, earlier, "running") or not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        metadata = file.metadata()
    run.learner.load_state_dict(tensors)
    run.data.was_asked_for(metadata["asked_for"])
    run.result.counts, run.result.untrained = earlier.counts, earlier.untrained
    run.result.experiences, run.result.diagnostics = earlier.experiences, earlier.diagnostics
    run.meter.earlier = earlier.costs["wall_seconds"]
    run.meter.costs.update(costs_from_json(earlier.costs))
    return len(earlier.counts)


def _plain(config: dict[str, Any]) -> Any:
    """The configuration as it comes back from a file: tuples are lists there."""
    return json.loads(json.dumps(config))
