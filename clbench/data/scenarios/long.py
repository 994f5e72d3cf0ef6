"""Long streams, and streams that drift: the same texts in more experiences, or transformed more and more."""

from __future__ import annotations

import dataclasses
from typing import Any

from clbench.core.drift import Drift
from clbench.core.scenario import Part, Scenario
from clbench.data.orders import divided, drifting, visited
from clbench.data.scenarios import intents, orders, paper
from clbench.data.scenarios.intent_facts import INTENTS

STEPS = 10
"""Experiences of a stream that drifts."""
NEAR_TO_FAR = (
    "Video_Games",
    "Toys_and_Games",
    "Sports_and_Outdoors",
    "Patio_Lawn_and_Garden",
    "Tools_and_Home_Improvement",
    "Movies_and_TV",
    "Office_Products",
    "Musical_Instruments",
    "Kindle_Store",
    "Pet_Supplies",
)
"""The domains of DSC by the cosine distance of their mean TF-IDF vector (scikit-learn, words of at least five
training texts) from that of the first one."""
TOPICS = {
    "comp": ("graphics", "os.ms-windows.misc", "sys.ibm.pc.hardware", "sys.mac.hardware"),
    "rec": ("autos", "motorcycles", "sport.baseball", "sport.hockey"),
    "sci": ("crypt", "electronics", "med", "space"),
    "talk": ("politics.misc", "politics.guns", "politics.mideast", "religion.misc"),
}
"""Four groups of 20 Newsgroups for each of four topics; each experience has one of each."""


def _like(scenario: Scenario, name: str, title: str, parts: tuple[Part, ...], **more: Any) -> Scenario:
    """Another stream of the texts of a scenario, with its protocol and sources; it is none of the paper's."""
    keys = tuple(key for key in scenario.bibtex if key != paper.PAPER_KEY)
    citation = scenario.citation.removesuffix(f"; {paper.PAPER}")
    return dataclasses.replace(
        scenario, name=name, title=title, parts=parts, bibtex=keys, citation=citation, **more
    )


_OF = {scenario.name: scenario for scenario in (*paper.SCENARIOS, *intents.SCENARIOS)}
_CLINC, _DSC, _NEWS = _OF["clinc150-cil"], _OF["dsc-dil"], _OF["20ng-cil-single"]
_DOMAINS = {part.name: part for part in _DSC.parts}
_GROUPS = tuple(
    Part(f"groups-{at + 1}", "20ng", tuple(f"{topic}.{groups[at]}" for topic, groups in TOPICS.items()))
    for at in range(4)
)
_TOPIC_OF = {f"{topic}.{group}": topic for topic, groups in TOPICS.items() for group in groups}
_INTENTS = visited([[Part("intents", "clinc150", INTENTS["clinc150"].labels)]] * STEPS)


def _shorter(size: int) -> Scenario:
    """CLINC150 in experiences of so many intents, in the orders of ``clinc150-cil``."""
    count = 150 // size
    return _like(
        _CLINC,
        f"clinc150-cil-{count}",
        f"CLINC150, class-incremental, {count} x {size} intent{'s' if size > 1 else ''}, single-head",
        divided(_CLINC.class_orders[0], [size] * count, "clinc150"),
    )


def _passes(count: int) -> Scenario:
    """DSC in so many of its orders, one after the other."""
    return _like(
        _DSC,
        f"dsc-dil-{10 * count}",
        f"Amazon reviews, 10 domains in {count} orders one after the other, each time with other texts",
        visited([[_DOMAINS[name] for name in order] for order in orders.DSC_ORDERS[:count]]),
        orders=(),
    )


def _drift(name: str, title: str, drift: Drift, encoder_drift: float | None = None) -> Scenario:
    """All intents of CLINC150 in each experience, its texts or the encoder changed more and more."""
    return _like(
        _CLINC,
        f"drift-{name}",
        f"CLINC150, all 150 intents in {STEPS} parts, {title}",
        drifting(_INTENTS, drift),
        kind="domain",
        class_orders=(),
        encoder_drift=encoder_drift,
    )


def _news(name: str, title: str, parts: tuple[Part, ...]) -> Scenario:
    return _like(_NEWS, name, title, parts, kind="domain", orders=(), classes=_TOPIC_OF)


SCENARIOS = (
    _shorter(5),
    _shorter(2),
    _shorter(1),
    _passes(2),
    _passes(5),
    _passes(10),
    _news("20ng-dil", "20 Newsgroups, 4 topics, 4 groups of each as domains", _GROUPS),
    _news(
        "20ng-dil-16",
        "20 Newsgroups, 4 topics, 4 groups of each as domains, four times with other texts",
        visited([_GROUPS] * 4),
    ),
    _drift("none", "without any change", Drift()),
    _drift("typos", "with more and more typing errors", Drift(typos=0.3)),
    _drift("casing", "with more and more words in capitals", Drift(casing=1.0)),
    _drift("truncation", "cut shorter and shorter", Drift(truncation=0.7)),
    _drift("encoder", "with an encoder that is fine-tuned on each", Drift(), encoder_drift=1e-4),
    _like(
        _DSC,
        "drift-domains",
        "Amazon reviews, 10 domains from near to far",
        tuple(_DOMAINS[name] for name in NEAR_TO_FAR),
        orders=(),
    ),
)
