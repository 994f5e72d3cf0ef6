"""The keys of a bottleneck: how they are stored, and which of them a query selects."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.methods.dkvb.codebook import nearest_keys

KeyDtype = Literal["float32", "bfloat16", "int8"]


class Codebooks(nn.Module):
    """The keys of all heads.

    Keys are searched exactly: distances are those in float32 to the keys as they are stored.

    Args:
        keys: (H, K, d) in float32.
        dtype: How they are stored. ``int8``: a key is a scale times whole numbers of at most 127, with the
            scale of each key beside it.
        room: Keys that each head can have on top of these; none of them is there yet.

    Attributes:
        keys: (H, K + room, d) as stored.
        keys_scale: (H, K + room, 1), with ``int8``.
        sizes: (H,) how many keys each head has, with ``room``.
        factor: (H, d), with ``normalize``: a query q selects as ``factor * q + offset``.
        offset: (H, d), likewise.
    """

    keys: Tensor
    keys_scale: Tensor | None
    sizes: Tensor | None
    factor: Tensor | None
    offset: Tensor | None

    def __init__(self, keys: Tensor, dtype: KeyDtype = "float32", room: int = 0) -> None:
        super().__init__()
        heads, count, _ = keys.shape
        keys = F.pad(keys, (0, 0, 0, room)) if room else keys
        stored, scale = encoded(keys, dtype)
        self.dtype = dtype
        self.register_buffer("keys", stored)
        self.register_buffer("keys_scale", scale)
        self.register_buffer("sizes", torch.full((heads,), count) if room else None)
        self.register_buffer("factor", None)
        self.register_buffer("offset", None)

    def normalize(self) -> None:
        """Adds ``factor`` and ``offset``, which change nothing at first."""
        shape = self.keys.shape[0], self.keys.shape[2]
        self.register_buffer("factor", torch.ones(shape, device=self.keys.device))
        self.register_buffer("offset", torch.zeros(shape, device=self.keys.device))

    def read(self) -> Tensor:
        """All keys (H, K + room, d) in float32; not a copy if they are stored so."""
        return self.keys.float() if self.keys_scale is None else self.keys * self.keys_scale

    def write(self, keys: Tensor) -> None:
        """Stores those of the keys (H, K + room, d) that are other ones; the rest stays, bit for bit."""
        moved = (keys != self.read()).any(2)
        stored, scale = encoded(keys[moved], self.dtype)
        self.keys[moved] = stored
        if self.keys_scale is not None and scale is not None:
            self.keys_scale[moved] = scale

    def moved(self, earlier: Codebooks) -> Tensor:
        """Which keys are not where they were, or were not there: (H, K + room) bool."""
        elsewhere = (self.read() != earlier.read()).any(2).cpu()
        return self.there() & (elsewhere | ~earlier.there())

    def size(self, head: int) -> int:
        """How many keys a head has."""
        return self.keys.shape[1] if self.sizes is None else int(self.sizes[head])

    def there(self) -> Tensor:
        """Which keys there are: (H, K + room) bool."""
        heads, count, _ = self.keys.shape
        sizes = torch.full((heads,), count) if self.sizes is None else self.sizes.cpu()
        return torch.arange(count) < sizes.unsqueeze(1)

    def queries(self, head: int, vectors: Tensor) -> Tensor:
        """What of queries (n, d) is compared with keys."""
        if self.factor is None or self.offset is None:
            return vectors
        return vectors * self.factor[head].to(vectors.device) + self.offset[head].to(vectors.device)

    def nearest(self, vectors: Tensor, head: int, keys: Tensor, count: int = 1) -> Tensor:
        """The numbers of the nearest keys of queries.

        Args:
            vectors: (n, d), past ``queries``.
            head: Of which head.
            keys: All keys, from ``read``.
            count: How many keys per query.

        Returns:
            (n, count) int64, the nearest first.
        """
        return nearest_keys(vectors, keys[head, : self.size(head)], count)


def encoded(keys: Tensor, dtype: KeyDtype) -> tuple[Tensor, Tensor | None]:
    """Keys (..., d) as they are stored, and the scale of each, (..., 1)."""
    if dtype == "float32":
        return keys, None
    if dtype == "bfloat16":
        return keys.bfloat16(), None
    scale = keys.abs().amax(-1, keepdim=True) / 127
    return (keys / scale.clamp(min=1e-30)).round().to(torch.int8), scale
