"""The declared scenarios."""

from __future__ import annotations

from clbench.errors import unknown
from clbench.scenario import Kind, Part, Protocol, Scenario
from clbench.sources import pydocs

PYDOCS = "docstrings of the installed libraries, taken at run time (pydocs)"
PYDOCS_LICENCE = "each library's own; read in place, never redistributed"
PAIRS = tuple(zip(pydocs.LIBRARIES[::2], pydocs.LIBRARIES[1::2], strict=True))
TASKS = {
    "returns": pydocs.RETURNS,
    "arguments": pydocs.ARGUMENTS,
    "objects": pydocs.OBJECTS,
    "topics": pydocs.TOPICS,
}


def _pydocs(name: str, title: str, kind: Kind, parts: tuple[Part, ...], task_aware: bool) -> Scenario:
    protocol = Protocol(epochs=5, batch_size=16, max_tokens=96)
    return Scenario(name, title, kind, parts, task_aware, "pydocs", protocol, PYDOCS, PYDOCS_LICENCE)


_PAIRED = tuple(Part(f"{first}+{second}", "libraries", (first, second)) for first, second in PAIRS)

R8_CLASSES = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")


def _r8(name: str, title: str, parts: tuple[Part, ...], protocol: Protocol) -> Scenario:
    citation = "Reuters-21578 (Lewis 1997), R8 of Cachopo 2007; protocol of arXiv 2412.08528"
    licence = "Reuters-21578 Distribution 1.0: research use"
    return Scenario(name, title, "class", parts, False, "folder", protocol, citation, licence)


_DECLARED = (
    _pydocs("pydocs-cil", "Which library is documented, 6 x 2 classes, single-head", "class", _PAIRED, False),
    _pydocs(
        "pydocs-cil-aware", "Which library is documented, 6 x 2 classes, task-aware", "class", _PAIRED, True
    ),
    _pydocs(
        "pydocs-dil",
        "Kind of the documented object, 5 domains of libraries",
        "domain",
        tuple(Part(domain, "kinds", pydocs.KINDS, domain) for domain in pydocs.DOMAINS),
        False,
    ),
    _pydocs(
        "pydocs-til",
        "Four tasks on documentation, one of them on text pairs, task-aware",
        "task",
        tuple(Part(name, f"task_{name}", labels) for name, labels in TASKS.items()),
        True,
    ),
    _r8(
        "r8-cil",
        "Reuters R8, class-incremental, 8 x 1 class, single-head",
        tuple(Part(label, "r8", (label,)) for label in R8_CLASSES),
        # The paper's protocol: 5 epochs of 100 texts drawn with replacement.
        Protocol(epochs=5, batch_size=16, max_tokens=256, draws=100),
    ),
    _r8(
        "r8-iid",
        "Reuters R8, all 8 classes at once",
        (Part("all", "r8", R8_CLASSES),),
        Protocol(epochs=5, batch_size=16, max_tokens=256),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _DECLARED}


def find_scenario(name: str) -> Scenario:
    """The declared scenario called ``name``, or a ``UserError`` with the nearest name."""
    if name not in SCENARIOS:
        raise unknown("scenario", name, SCENARIOS)
    return SCENARIOS[name]
