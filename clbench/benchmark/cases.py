"""The measurements that compare a part of the engine with its naive form, by name."""

from __future__ import annotations

from clbench.benchmark import encoding, keys, probe, startup, training
from clbench.benchmark.measure import Case

CASES: dict[str, Case] = {
    case.name: case for module in (encoding, keys, training, probe, startup) for case in module.CASES
}
