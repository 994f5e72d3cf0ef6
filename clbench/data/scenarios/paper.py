"""The scenarios of the paper (arXiv 2412.08528)."""

from __future__ import annotations

from clbench.core.scenario import Kind, Part, Protocol, Scenario
from clbench.data.scenarios import orders
from clbench.data.scenarios.facts import DATASETS, NEWSGROUP_PAIRS, R8_LABELS, R52_LABELS, SENTIMENT

PAPER = "protocol of arXiv 2412.08528"
PAPER_KEY = "diera2024dkvb"
PYCONTINUAL = ("ke2021ctr",)
"""The source of the published orders of DSC and 20 Newsgroups."""
SINGLE_HEAD = Protocol(epochs=5, batch_size=16, max_tokens=256, samples_per_epoch=100)
"""5 epochs of 100 texts each, drawn with replacement."""
ALL_AT_ONCE = Protocol(epochs=5, batch_size=16, max_tokens=256)

# 26 pairs of indices into the sorted labels, drawn independently by the public code (seed 25).
_REFERENCE = (
    (24, 49), (0, 13), (19, 40), (30, 2), (48, 16), (2, 19), (36, 27), (6, 37), (7, 36), (43, 46), (12, 32),
    (50, 39), (20, 11), (35, 22), (32, 30), (33, 6), (40, 43), (6, 38), (37, 22), (26, 22), (12, 43),
    (10, 39), (29, 4), (4, 25), (36, 4), (32, 40),
)  # fmt: skip


def _paper(
    name: str,
    title: str,
    kind: Kind,
    parts: tuple[Part, ...],
    protocol: Protocol,
    *,
    task_aware: bool = False,
    published: tuple[tuple[str, ...], ...] = (),
    repeats: bool = False,
    cited: tuple[str, ...] = (),
) -> Scenario:
    """A scenario on datasets of the paper; ``cited`` are BibTeX keys besides those of paper and datasets."""
    used = {part.dataset: DATASETS[part.dataset] for part in parts}
    citation = "; ".join([*dict.fromkeys(facts.citation for facts in used.values()), PAPER])
    license = "; ".join(dict.fromkeys(facts.license for facts in used.values()))
    keys = [PAPER_KEY, *cited, *(key for facts in used.values() for key in facts.bibtex)]
    return Scenario(
        name, title, kind, parts, task_aware, "folder", protocol, citation, license, published, used, repeats,
        bibtex=tuple(dict.fromkeys(keys)),
    )  # fmt: skip


def _pairs(pairs: list[tuple[str, str]]) -> tuple[Part, ...]:
    return tuple(
        Part(f"{at}:{first}+{second}", "r52", (first, second)) for at, (first, second) in enumerate(pairs)
    )


_NEWSGROUPS = tuple(
    Part(name, "20ng", pair) for name, pair in zip(orders.NEWSGROUPS, NEWSGROUP_PAIRS, strict=True)
)
_GLUE = tuple(Part(name, name, DATASETS[name].labels) for name in orders.GLUE_TASKS)

SCENARIOS = (
    _paper(
        "dsc-dil",
        "Amazon reviews, 10 domains, positive or negative",
        "domain",
        tuple(Part(domain, "dsc", SENTIMENT, domain) for domain in orders.DSC_DOMAINS),
        Protocol(epochs=20, batch_size=32, max_tokens=128),
        published=orders.DSC_ORDERS,
        cited=PYCONTINUAL,
    ),
    _paper(
        "20ng-cil",
        "20 Newsgroups, class-incremental, 10 x 2 classes, task-aware",
        "class",
        _NEWSGROUPS,
        Protocol(epochs=10, batch_size=32, max_tokens=128),
        task_aware=True,
        published=orders.NEWSGROUP_ORDERS,
        cited=PYCONTINUAL,
    ),
    _paper(
        "20ng-cil-single",
        "20 Newsgroups, class-incremental, 10 x 2 classes, single-head",
        "class",
        _NEWSGROUPS,
        Protocol(epochs=10, batch_size=32, max_tokens=128),
        published=orders.NEWSGROUP_ORDERS,
        cited=PYCONTINUAL,
    ),
    _paper(
        "glue4-til",
        "Four GLUE tasks: RTE, MRPC, QQP, SST-2, task-aware",
        "task",
        _GLUE,
        Protocol(epochs=10, batch_size=32, max_tokens=128),
        task_aware=True,
        published=orders.GLUE_ORDERS,
    ),
    _paper(
        "r8-cil",
        "Reuters R8, class-incremental, 8 x 1 class, single-head",
        "class",
        tuple(Part(label, "r8", (label,)) for label in R8_LABELS),
        SINGLE_HEAD,
    ),
    _paper(
        "r52-cil",
        "Reuters R52, class-incremental, 26 x 2 classes, single-head",
        "class",
        _pairs(list(zip(R52_LABELS[::2], R52_LABELS[1::2], strict=True))),
        SINGLE_HEAD,
    ),
    _paper(
        "r52-cil-reference",
        "Reuters R52 as in the paper's public code, 26 pairs of 32 of the 52 classes, single-head",
        "class",
        _pairs([(R52_LABELS[first], R52_LABELS[second]) for first, second in _REFERENCE]),
        SINGLE_HEAD,
        repeats=True,
    ),
    _paper(
        "r8-iid", "Reuters R8, all 8 classes at once", "class", (Part("all", "r8", R8_LABELS),), ALL_AT_ONCE
    ),
    _paper(
        "20ng-iid",
        "20 Newsgroups, all 20 classes at once",
        "class",
        (Part("all", "20ng", DATASETS["20ng"].labels),),
        ALL_AT_ONCE,
    ),
)
