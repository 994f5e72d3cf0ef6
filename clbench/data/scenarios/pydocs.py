"""The built-in scenarios, on the documentation of the installed libraries."""

from __future__ import annotations

from clbench.core.scenario import Kind, Part, Protocol, Scenario
from clbench.data import pydocs

CITATION = "docstrings of the installed libraries, taken at run time (pydocs)"
LICENSE = "each library's own; read in place, never redistributed"
PAIRS = tuple(zip(pydocs.LIBRARIES[::2], pydocs.LIBRARIES[1::2], strict=True))
TASKS = {
    "returns": pydocs.RETURNS,
    "arguments": pydocs.ARGUMENTS,
    "objects": pydocs.OBJECTS,
    "topics": pydocs.TOPICS,
}


def _pydocs(name: str, title: str, kind: Kind, parts: tuple[Part, ...], task_aware: bool) -> Scenario:
    protocol = Protocol(epochs=5, batch_size=16, max_tokens=96)
    return Scenario(name, title, kind, parts, task_aware, "pydocs", protocol, CITATION, LICENSE)


_PAIRED = tuple(Part(f"{first}+{second}", "libraries", (first, second)) for first, second in PAIRS)

SCENARIOS = (
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
)
