"""The scenarios of language models: experiences are domains of text, and next tokens are learned."""

from __future__ import annotations

from typing import Any

from clbench.core.scenario import Part, Protocol, Scenario
from clbench.data.pydocs.libraries import CLASSES, DOMAINS
from clbench.data.scenarios import orders, pydocs
from clbench.data.scenarios.facts import DATASETS, NEWSGROUP_PAIRS, SENTIMENT

PROTOCOL = Protocol(epochs=1, batch_size=8, max_tokens=128)


def _language(name: str, title: str, parts: tuple[Part, ...], **more: Any) -> Scenario:
    return Scenario(name, title, "language-model", parts, False, protocol=PROTOCOL, **more)


def _known(dataset: str) -> dict[str, Any]:
    facts = DATASETS[dataset]
    return {
        "source": "folder",
        "citation": facts.citation,
        "license": facts.license,
        "datasets": {dataset: facts},
        "bibtex": (*facts.bibtex, "ke2021ctr"),  # the source of the published orders
    }


SCENARIOS = (
    _language(
        "pydocs-lm",
        "Language model of documentation, 5 domains of libraries",
        tuple(
            Part(domain, "libraries", tuple(each.name for each in CLASSES if each.domain == domain))
            for domain in DOMAINS
        ),
        source="pydocs",
        citation=pydocs.CITATION,
        license=pydocs.LICENSE,
        bibtex=("clbench",),
    ),
    _language(
        "dsc-lm",
        "Language model of Amazon reviews, 10 domains",
        tuple(Part(domain, "dsc", SENTIMENT, domain) for domain in orders.DSC_DOMAINS),
        orders=orders.DSC_ORDERS,
        **_known("dsc"),
    ),
    _language(
        "20ng-lm",
        "Language model of 20 Newsgroups, 10 pairs of groups",
        tuple(
            Part(name, "20ng", pair) for name, pair in zip(orders.NEWSGROUPS, NEWSGROUP_PAIRS, strict=True)
        ),
        orders=orders.NEWSGROUP_ORDERS,
        **_known("20ng"),
    ),
)
