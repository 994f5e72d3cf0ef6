"""What cached features cost when they were made, each text counted once."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence

import numpy as np

from clbench.core.costs import Cost

KEY_BYTES = 16
"""Bytes of the key of a text."""
_ROW = np.dtype([("key", f"V{KEY_BYTES}"), ("seconds", "<f8"), ("flops", "<i8")])


class Asked:
    """The texts that were asked for, by the folder that holds what was made of them, with its cost."""

    def __init__(self) -> None:
        self._costs: dict[str, dict[bytes, tuple[float, int]]] = {}
        self._total: Cost | None = Cost()

    def add(self, folder: str, keys: Sequence[bytes], costs: np.ndarray) -> None:
        """Adds texts by their keys, with the seconds and operations of each, (n, 2); later costs replace."""
        seconds, flops = costs[:, 0].tolist(), costs[:, 1].astype(np.int64).tolist()
        known = self._costs.setdefault(folder, {})
        known.update(zip(keys, zip(seconds, flops, strict=True), strict=True))
        self._total = None

    def update(self, other: Asked) -> None:
        """Adds everything in ``other``."""
        for folder, costs in other._costs.items():
            self._costs.setdefault(folder, {}).update(costs)
        self._total = None

    def total(self) -> Cost:
        """The cost of all texts. It does not depend on the order in which they were added."""
        if self._total is None:
            rows = [row for costs in self._costs.values() for row in costs.values()]
            self._total = Cost(math.fsum(row[0] for row in rows), sum(row[1] for row in rows))
        return self._total

    def to_text(self) -> str:
        """This object as text for ``from_text``."""
        return json.dumps({folder: _packed(costs) for folder, costs in self._costs.items()})

    @classmethod
    def from_text(cls, text: str) -> Asked:
        """The object that ``to_text`` wrote."""
        asked = cls()
        for folder, packed in json.loads(text).items():
            rows = np.frombuffer(base64.b64decode(packed), _ROW)
            keys = key_list(np.ascontiguousarray(rows["key"]))
            asked.add(folder, keys, np.stack([rows["seconds"], rows["flops"]], axis=1))
        return asked


def key_list(keys: np.ndarray) -> list[bytes]:
    """The keys that a contiguous array holds one after the other."""
    raw = keys.tobytes()
    return [raw[at : at + KEY_BYTES] for at in range(0, len(raw), KEY_BYTES)]


def _packed(costs: dict[bytes, tuple[float, int]]) -> str:
    rows = np.empty(len(costs), _ROW)
    rows["key"] = np.frombuffer(b"".join(costs), f"V{KEY_BYTES}")
    rows["seconds"] = [row[0] for row in costs.values()]
    rows["flops"] = [row[1] for row in costs.values()]
    return base64.b64encode(rows.tobytes()).decode()
