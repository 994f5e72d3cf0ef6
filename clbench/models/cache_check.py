"""The full check of the feature cache: every file against its checksum."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from clbench.core.io import cache_dir
from clbench.models.cache_files import DamagedError, verify
from clbench.models.feature_cache import LAYOUT


@dataclass(frozen=True)
class Checked:
    """What a check of the cache found.

    Attributes:
        folder: The cache.
        shards: How many shards there are.
        nbytes: Their size.
        damaged: What is wrong with each damaged shard. They are removed: the next run makes them again.
    """

    folder: Path
    shards: int
    nbytes: int
    damaged: tuple[str, ...]


def check_cache() -> Checked:
    """Compares all files of the cached features with their checksums, and removes damaged shards."""
    folder = cache_dir() / f"features-{LAYOUT}"
    shards, nbytes, damaged = 0, 0, []
    for shard in sorted(folder.glob("*/shard-*")):
        try:
            nbytes += sum(file.stat().st_size for file in shard.iterdir())
            verify(shard)
        except FileNotFoundError:
            continue  # another process removed it
        except DamagedError as error:
            damaged.append(str(error))
            shutil.rmtree(shard, ignore_errors=True)
        shards += 1
    return Checked(folder, shards, nbytes, tuple(damaged))
