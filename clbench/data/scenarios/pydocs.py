"""The scenarios on the offline corpus, made from the documentation of installed Python libraries."""

from __future__ import annotations

from clbench.core.scenario import Kind, Part, Protocol, Scenario
from clbench.data import pydocs

CITATION = "documentation strings of the installed Python libraries (pydocs)"
LICENSE = "the license of each library; texts are read in place and not redistributed"
TASKS = ("returns", "arguments", "objects", "topics")


def _pydocs(name: str, title: str, kind: Kind, parts: tuple[Part, ...], task_aware: bool) -> Scenario:
    protocol = Protocol(epochs=5, batch_size=16, max_tokens=96)
    return Scenario(
        name, title, kind, parts, task_aware, "pydocs", protocol, CITATION, LICENSE, bibtex=("clbench",)
    )


_LIBRARIES = pydocs.LABELS["libraries"]
_PAIRED = tuple(
    Part(f"{first}+{second}", "libraries", (first, second))
    for first, second in zip(_LIBRARIES[::2], _LIBRARIES[1::2], strict=True)
)

SCENARIOS = (
    _pydocs("pydocs-cil", "Which library is documented, 6 x 2 classes, single-head", "class", _PAIRED, False),
    _pydocs(
        "pydocs-cil-aware", "Which library is documented, 6 x 2 classes, task-aware", "class", _PAIRED, True
    ),
    _pydocs(
        "pydocs-dil",
        "Kind of the documented object, 5 domains of libraries",
        "domain",
        tuple(Part(domain, "kinds", pydocs.LABELS["kinds"], domain) for domain in pydocs.DOMAINS),
        False,
    ),
    _pydocs(
        "pydocs-til",
        "Four tasks on documentation, one of them on text pairs, task-aware",
        "task",
        tuple(Part(name, f"task_{name}", pydocs.LABELS[f"task_{name}"]) for name in TASKS),
        True,
    ),
)
