"""The measurements that compare a part of the engine with its naive form, by name."""

from __future__ import annotations

from clbench.benchmark import encoding, keys, probe, startup, trained_encoder, training, value_rows
from clbench.benchmark.measure import Case

_MODULES = (encoding, keys, training, value_rows, trained_encoder, probe, startup)
CASES: dict[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
