"""Small streams of made-up text, one of each kind, for the encoder ``tiny``."""

from __future__ import annotations

import json
import random
from pathlib import Path

from clbench.core.scenario import Part, Protocol, Scenario
from clbench.models import tiny

MAX_TOKENS = 16
SIZES = {"train": 12, "validation": 4, "test": 8}
"""Texts of each class (and domain) in each split."""
_SIX = ("a", "b", "c", "d", "e", "f")
_PAIRED = tuple(Part("".join(two), "six", two) for two in (_SIX[:2], _SIX[2:4], _SIX[4:]))
_DOMAINS = tuple(Part(domain, "kinds", ("no", "yes"), domain) for domain in ("news", "mail", "talk"))
_TASKS = (Part("plain", "kinds", ("no", "yes")), Part("pairs", "pairs", ("no", "yes")))
_PROTOCOL = Protocol(epochs=8, batch_size=8, max_tokens=MAX_TOKENS)

SCENARIOS = {
    "class": Scenario("class", "", "class", _PAIRED, False, "folder", _PROTOCOL),
    "class-aware": Scenario("class-aware", "", "class", _PAIRED, True, "folder", _PROTOCOL),
    "domain": Scenario("domain", "", "domain", _DOMAINS, False, "folder", _PROTOCOL),
    "task": Scenario("task", "", "task", _TASKS, True, "folder", _PROTOCOL),
}
"""By name, a scenario of each kind; ``class`` is single-head."""


def write_texts(folder: Path) -> None:
    """Writes the texts of ``SCENARIOS`` and a folder ``general`` of other text; the same every time.

    A text has 5 to 20 words, most of them words that only its class uses.
    """
    draw = random.Random(0)
    words = [word for word in tiny.vocabulary() if word.isalpha() and len(word) > 2]
    labels = {"six": _SIX, "kinds": ("no", "yes"), "pairs": ("no", "yes")}

    def text(label: str) -> str:
        liked = words[(ord(label[0]) + len(label)) % 26 :: 26][:6]
        return " ".join(draw.choice(draw.choice([words, *[liked] * 15])) for _ in range(draw.randint(5, 20)))

    for name, known in labels.items():
        (folder / name).mkdir(parents=True)
        for split, size in SIZES.items():
            lines = [
                {"text": text(label), "text_pair": text(label) if name == "pairs" else None}
                | {"label": label, "domain": domain}
                for label in known
                for domain in ("news", "mail", "talk")
                for _ in range(size if name == "kinds" else max(1, size // 3))
            ]
            content = "\n".join(map(json.dumps, lines)) + "\n"
            (folder / name / f"{split}.jsonl").write_text(content, encoding="utf-8")
    (folder / "general").mkdir()
    paragraphs = "\n\n".join(text("q") for _ in range(20))
    (folder / "general" / "all.txt").write_text(paragraphs, encoding="utf-8")
