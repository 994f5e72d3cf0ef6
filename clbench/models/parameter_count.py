"""How many parameters an encoder has, without loading its weights twice."""

from __future__ import annotations

from contextlib import suppress

import xxhash

from clbench.core.io import cache_dir, write_text
from clbench.models.encoder import TextEncoder


def parameter_count(encoder: TextEncoder) -> int:
    """How many parameters the encoder's model has.

    It is counted once and remembered in the cache, by the hash of the encoder's files: a run whose features
    are cached does not need the weights.
    """
    path = cache_dir() / "encoders" / f"{encoder.fingerprint}.parameters"
    with suppress(OSError, ValueError):
        count = int(path.read_text(encoding="ascii").partition(" ")[0])
        if path.read_text(encoding="ascii") == _with_checksum(count):
            return count
    count = encoder.parameters
    with suppress(OSError):  # a full disk or a folder that cannot be written
        write_text(path, _with_checksum(count))
    return count


def _with_checksum(count: int) -> str:
    return f"{count} {xxhash.xxh3_64_hexdigest(str(count).encode())}\n"
