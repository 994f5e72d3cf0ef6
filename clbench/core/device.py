"""Where heavy work without gradients runs, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clbench.core.types import Dtype

if TYPE_CHECKING:
    import torch


def compute_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve_dtype(dtype: Dtype) -> torch.dtype:
    """The precision of frozen encoders: ``auto`` is bfloat16 where that is fast, and float32 elsewhere.

    It is fast on a GPU that has it, and on a CPU with matrix tiles (AMX) or dot products (AVX512-BF16) for
    it; a CPU without them computes bfloat16 by way of float32, more slowly than float32 itself.
    """
    import torch

    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.13
        capabilities = known() if known is not None else {}
        fast = any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Runs a block on one thread of torch, if ``wanted``.

    Work past a frozen prefix is many small operations: threads would spend more time on each other than on
    them, and its outcome would depend on how many there are.
    """
    import torch

    threads = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
