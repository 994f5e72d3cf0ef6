"""Nested values and tensors in one file, whose name holds its checksum. No code is read with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from clbench.core.io import temporary_folder
from clbench.models.cache_files import DamagedError, checksum

SUFFIX = ".safetensors"
_VALUES = "values"
"""The tensor of bytes that holds everything but tensors as JSON: a header of the format has a size limit."""


def write_state(folder: Path, stem: str, state: Any) -> Path:
    """Writes a file ``<stem>-<checksum>.safetensors`` atomically: see ``temporary_folder``.

    Args:
        folder: Made if it is not there.
        stem: The beginning of the file's name.
        state: Mappings, lists, tuples, tensors, numbers, texts and None, nested.

    Raises:
        OSError: It cannot be written.
        TypeError: There is something else in it.
    """
    tensors: list[Tensor] = []
    values = json.dumps(_described(state, tensors)).encode()
    named = {str(at): each for at, each in enumerate(tensors)}
    named[_VALUES] = torch.from_numpy(np.frombuffer(values, np.uint8).copy())
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder) as temporary:
        file = temporary / f"state{SUFFIX}"
        try:
            save_file(named, file)
        except SafetensorError as error:  # of the system, as a text
            raise OSError(None, str(error), str(folder)) from error
        return file.replace(folder / f"{stem}-{checksum(file)}{SUFFIX}")


def read_state(path: Path) -> Any:
    """What ``write_state`` wrote.

    Raises:
        DamagedError: It is not what was written.
        OSError: It cannot be read now.
    """
    if checksum(path) != path.name.removesuffix(SUFFIX).rpartition("-")[2]:
        raise DamagedError(f"{path} is damaged")
    with safe_open(path, "pt") as file:
        return _built(json.loads(file.get_tensor(_VALUES).numpy().tobytes()), file)


def _described(state: Any, tensors: list[Tensor]) -> Any:
    """``state`` as JSON, with the number of each tensor in its place."""
    if isinstance(state, Tensor):
        alone = state.detach().contiguous()
        if any(alone.untyped_storage().data_ptr() == each.untyped_storage().data_ptr() for each in tensors):
            alone = alone.clone()  # the format has no shared memory
        tensors.append(alone)
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(state, Mapping):  # keys may be numbers
        pairs = [[_described(name, tensors), _described(value, tensors)] for name, value in state.items()]
        return {"mapping": pairs}
    if isinstance(state, list | tuple):
        return {type(state).__name__: [_described(each, tensors) for each in state]}
    if state is None or isinstance(state, str | int | float):
        return state
    raise TypeError(f"a value of type {type(state).__name__} cannot be saved")


def _built(described: Any, file: Any) -> Any:
    if not isinstance(described, dict):
        return described
    ((kind, content),) = described.items()
    if kind == "tensor":
        return file.get_tensor(content)
    if kind == "mapping":
        return {_built(name, file): _built(value, file) for name, value in content}
    parts = [_built(each, file) for each in content]
    return tuple(parts) if kind == "tuple" else parts
