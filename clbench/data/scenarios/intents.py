"""Streams of intents: what a user wants of a voice assistant or of a bank, in one short sentence."""

from __future__ import annotations

from typing import Any

from clbench.core.scenario import Kind, Part, Protocol, Scenario
from clbench.data.orders import divided, shuffled
from clbench.data.scenarios.intent_facts import BANKING_LABELS, CLINC_DOMAINS, HWU_LABELS, INTENTS

PROTOCOL = Protocol(epochs=10, batch_size=32, max_tokens=96)
SEEDS = range(5)
"""Seeds of the numbered orders of classes: see ``clbench.data.orders.shuffled``."""
_CLINC_ORDERS = tuple(shuffled(sorted(INTENTS["clinc150"].labels), seed) for seed in SEEDS)
_BANKING_ORDERS = tuple(shuffled(BANKING_LABELS, seed) for seed in SEEDS)


def _of(scenario: str) -> tuple[str, ...]:
    return tuple(label for label in HWU_LABELS if label.partition("_")[0] == scenario)


HWU_SCENARIOS = tuple(dict.fromkeys(label.partition("_")[0] for label in HWU_LABELS))
QUESTIONS = {
    "alarm": ("alarm_query",),
    "calendar": ("calendar_query",),
    "email": ("email_query", "email_querycontact"),
    "lists": ("lists_query",),
    "social": ("social_query",),
    "takeaway": ("takeaway_query",),
    "transport": ("transport_query", "transport_traffic"),
}
"""By scenario of HWU64 that has both, the intents that ask for something; all others order something."""


def _intents(name: str, title: str, kind: Kind, parts: tuple[Part, ...], **facts: Any) -> Scenario:
    used = {part.dataset: INTENTS[part.dataset] for part in parts}
    return Scenario(
        name,
        title,
        kind,
        parts,
        kind == "task",
        "folder",
        PROTOCOL,
        citation="; ".join(each.citation for each in used.values()),
        license="; ".join(dict.fromkeys(each.license for each in used.values())),
        datasets=used,
        bibtex=tuple(key for each in used.values() for key in each.bibtex),
        **facts,
    )


SCENARIOS = (
    _intents(
        "clinc150-cil",
        "CLINC150, class-incremental, 15 x 10 intents, single-head",
        "class",
        divided(_CLINC_ORDERS[0], [10] * 15, "clinc150"),
        class_orders=_CLINC_ORDERS,
    ),
    _intents(
        "clinc150-domains",
        "CLINC150, class-incremental, its 10 domains of 15 intents, single-head",
        "class",
        tuple(Part(domain, "clinc150", labels) for domain, labels in CLINC_DOMAINS.items()),
    ),
    _intents(
        "banking77-cil",
        "BANKING77, class-incremental, 7 x 11 intents, single-head",
        "class",
        divided(_BANKING_ORDERS[0], [11] * 7, "banking77"),
        class_orders=_BANKING_ORDERS,
    ),
    _intents(
        "hwu64-cil",
        "HWU64, class-incremental, its 18 scenarios of 1 to 10 intents, single-head",
        "class",
        tuple(Part(scenario, "hwu64", _of(scenario)) for scenario in HWU_SCENARIOS),
    ),
    _intents(
        "hwu64-dil",
        "HWU64, question or command, 7 of its scenarios as domains",
        "domain",
        tuple(Part(scenario, "hwu64", _of(scenario)) for scenario in QUESTIONS),
        classes={
            label: "question" if label in asked else "command"
            for scenario, asked in QUESTIONS.items()
            for label in _of(scenario)
        },
    ),
    _intents(
        "intents-til",
        "Three tasks of intents: BANKING77, HWU64, CLINC150, task-aware",
        "task",
        tuple(Part(name, name, INTENTS[name].labels) for name in ("banking77", "hwu64", "clinc150")),
    ),
)
