"""Tensors with text metadata, one shard each in a cache on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from clbench.models.cache_files import DamagedError, drop, used, verify, write_shard

_TENSORS = "made.safetensors"


def read_tensors(shard: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a shard; both empty if it is missing or damaged, and then removed."""
    try:
        verify(shard, _TENSORS)
        with safe_open(shard / _TENSORS, "pt") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}, {}
    except DamagedError as error:
        drop(shard, error)
        return {}, {}
    used(shard)
    return found


def write_tensors(shard: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a shard, replacing what is left of an earlier one. The caller holds its lock.

    Raises:
        OSError: It cannot be written.
    """
    for leftover in shard.parent.glob(f".partial-{shard.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed

    content = save({name: each.contiguous() for name, each in tensors.items()}, metadata)

    def write(folder: Path) -> None:
        (folder / _TENSORS).write_bytes(content)

    write_shard(shard, f".partial-{shard.name}-", write, lambda folder: None)
