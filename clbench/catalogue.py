"""The declared scenarios."""

from __future__ import annotations

from clbench.errors import unknown
from clbench.scenario import Part, Protocol, Scenario

R8_CLASSES = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")

_DECLARED = (
    Scenario(
        name="r8-cil",
        title="Reuters R8, class-incremental, 8 x 1 class, single-head",
        kind="class",
        parts=tuple(Part(label, "r8", (label,)) for label in R8_CLASSES),
        task_aware=False,
        source="folder",
        # The paper's protocol: 5 epochs of 100 texts drawn with replacement.
        protocol=Protocol(epochs=5, batch_size=16, max_tokens=256, draws=100),
        citation="Reuters-21578 (Lewis 1997), R8 of Cachopo 2007; protocol of arXiv 2412.08528",
        licence="Reuters-21578 Distribution 1.0: research use",
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _DECLARED}


def find_scenario(name: str) -> Scenario:
    """The declared scenario called ``name``, or a ``UserError`` with the nearest name."""
    if name not in SCENARIOS:
        raise unknown("scenario", name, SCENARIOS)
    return SCENARIOS[name]
