"""The full check of cached features and unpacked models: every file against its checksum."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from clbench.core.io import cache_dir
from clbench.models.cache_files import DamagedError, verify
from clbench.models.feature_cache import LAYOUT


@dataclass(frozen=True)
class Checked:
    """What a check of the cache found.

    Attributes:
        shards: How many shards of features and unpacked models there are.
        nbytes: Their size.
        damaged: What is wrong with each damaged shard. They are removed: the next run makes them again.
    """

    shards: int
    nbytes: int
    damaged: tuple[str, ...]


def check_cache() -> Checked:
    """Compares all files of features and unpacked models with their checksums; removes damaged folders."""
    shards, nbytes, damaged = 0, 0, []
    features = (cache_dir() / f"features-{LAYOUT}").glob("*/shard-*")
    models = (each for each in (cache_dir() / "unpacked").glob("*") if each.is_dir())
    for shard in (*sorted(features), *sorted(models)):
        try:
            nbytes += sum(file.stat().st_size for file in shard.iterdir())
            verify(shard)
        except FileNotFoundError:
            continue  # another process removed it
        except DamagedError as error:
            damaged.append(str(error))
            shutil.rmtree(shard, ignore_errors=True)
        shards += 1
    return Checked(shards, nbytes, tuple(damaged))
