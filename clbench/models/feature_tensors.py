"""Tensors with what is to be known about them, one shard each in a cache on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from clbench.models.cache_files import DamagedError, drop, used, verify, write_shard

_TENSORS = "made.safetensors"
_ABOUT = "about.json"
"""Grows with the number of texts, which the header of the other file may not."""


def read_tensors(shard: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of a shard, and what is known about them; empty if it is missing, or damaged and removed."""
    try:
        verify(shard, _TENSORS, _ABOUT)
        with safe_open(shard / _TENSORS, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found = tensors, json.loads((shard / _ABOUT).read_bytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}, {}
    except DamagedError as error:
        drop(shard, error)
        return {}, {}
    used(shard)
    return found


def write_tensors(shard: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Writes a shard, replacing what is left of an earlier one. The caller holds its lock.

    Raises:
        OSError: It cannot be written.
    """
    for leftover in shard.parent.glob(f".partial-{shard.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed

    content = save({name: each.contiguous() for name, each in tensors.items()})

    def write(folder: Path) -> None:
        (folder / _TENSORS).write_bytes(content)
        (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

    write_shard(shard, f".partial-{shard.name}-", write, lambda folder: None)
