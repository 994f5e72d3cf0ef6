"""Seeds that depend on names only, never on how much randomness something else has used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *names: str | int) -> int:
    """A seed for one purpose of a run, such as ``derive(seed, "train", stage)``: 63 bits, stable."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block under its own global torch state, for code that takes no generator (dropout)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
