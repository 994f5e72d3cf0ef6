"""Device, precision and threads of computations."""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clbench.core.types import Precision

if TYPE_CHECKING:
    import torch


def compute_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def gpu_name() -> str | None:
    """The name of the GPU that runs compute on; None without one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def repeatable_kernels() -> None:
    """On a GPU, chooses kernels that sum in a fixed order, where there are such.

    There are for all that trains on frozen features. Attention has none for its gradients: a run that trains
    an encoder repeats up to rounding.
    """
    import torch

    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for, read at its start
        torch.use_deterministic_algorithms(True, warn_only=True)
        warnings.filterwarnings("ignore", message=".*deterministic", category=UserWarning)


MMAP_THRESHOLD, TRIM_THRESHOLD = (-3, 32 * 2**20), (-1, 256 * 2**20)
"""Parameters of glibc's ``mallopt`` and their values in bytes; the first is the highest that there is."""


def keep_freed_memory() -> None:
    """Lets this process keep what is freed, up to 256 MiB, for the next tensors.

    By itself glibc returns tensors of some megabytes to the system when they are freed, and the next ones
    cost a page fault for each 4 KiB: half of the time of a DKVB step. Other C libraries stay as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not on Linux, or another library
        return
    for parameter, value in (MMAP_THRESHOLD, TRIM_THRESHOLD):
        mallopt(parameter, value)


def resolve_precision(precision: Precision) -> torch.dtype:
    """The precision of encoders: ``auto`` is bfloat16 where that is fast, and float32 elsewhere.

    It is fast on a GPU that has it, and on a CPU with matrix tiles (AMX) or dot products (AVX512-BF16) for
    it; a CPU without them computes bfloat16 by way of float32, more slowly than float32 itself.
    """
    import torch

    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.13
        capabilities = known() if known is not None else {}
        fast = any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Runs a block with a single torch thread, if ``wanted``.

    Training on cached features is many small operations. Several threads would slow it down, and the rounding
    of results would depend on their number.
    """
    import torch

    threads = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
