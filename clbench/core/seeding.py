"""Seeds derived from names, so that no random draw depends on how many draws were made before it."""

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
    """Runs a block with its own global random state, for code that takes no generator (dropout)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
