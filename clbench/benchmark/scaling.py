"""How the seconds of a run grow with texts, keys and classes, all features in the cache."""

from __future__ import annotations

import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clbench.core.config import RunConfig
from clbench.core.scenario import Part, Protocol, Scenario
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.models import tiny
from clbench.models.feature_cache import FeatureCache

FACTORS = (1, 2, 4, 8)
BASE = {"texts": 100, "keys": 1024, "classes": 8}
"""Texts of each class, keys of each head, classes in experiences of two."""


@dataclass(frozen=True)
class Growth:
    """Seconds of a DKVB run at multiples of one size.

    Attributes:
        size: What grows: texts, keys or classes.
        seconds: At each of ``FACTORS``: loading, training and evaluation.
    """

    size: str
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """B of the fit seconds = a * factor^b; 1 is linear growth."""
        return float(np.polyfit(np.log(FACTORS), np.log(self.seconds), 1)[0])

    def to_json(self) -> dict[str, Any]:
        """The entry of the benchmark's file."""
        return {"name": f"scaling {self.size}", "factors": FACTORS, "seconds": self.seconds,
                "exponent": self.exponent}  # fmt: skip


def growth(size: str) -> Growth:
    """Measures runs of DKVB on made-up texts with the encoder ``tiny``, on one thread."""
    torch.set_num_threads(1)
    seconds = []
    with tempfile.TemporaryDirectory(prefix="clbench-bench-") as folder:
        for factor in FACTORS:
            sizes = {name: value * (factor if name == size else 1) for name, value in BASE.items()}
            where = Path(folder, str(factor))
            scenario = _scenario(where, sizes["texts"], sizes["classes"])
            _run(scenario, where, sizes["keys"], "first")
            started = time.perf_counter()
            _run(scenario, where, sizes["keys"], "second")
            seconds.append(time.perf_counter() - started)
    return Growth(size, tuple(seconds))


def _run(scenario: Scenario, where: Path, keys: int, results: str) -> None:
    config = RunConfig(
        scenario.name, "dkvb", arguments={"initialization": "oracle", "keys": keys, "heads": 8},
        encoder="tiny", threads=1, data_dir=where, results=where / results,
    )  # fmt: skip
    run = prepare(config, scenario=scenario)
    run.data.cache = FeatureCache(where / "cache", progress=False)
    execute(run)


def _scenario(where: Path, texts: int, classes: int) -> Scenario:
    """A class-incremental stream of random texts of 32 words; half as many test texts as training texts."""
    draw = random.Random(0)
    words = [word for word in tiny.vocabulary() if word.isalpha() and len(word) > 2]
    labels = [f"class{number:03d}" for number in range(classes)]
    (where / "texts").mkdir(parents=True)
    for split, count in (("train", texts), ("validation", 1), ("test", texts // 2)):
        lines = [
            json.dumps({"text": " ".join(draw.choices(words, k=32)), "label": label})
            for label in labels
            for _ in range(count)
        ]
        (where / "texts" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    parts = tuple(Part(f"{at}", "texts", tuple(labels[at : at + 2])) for at in range(0, classes, 2))
    protocol = Protocol(epochs=3, batch_size=32, max_tokens=48)
    return Scenario("scaling", "", "class", parts, False, "folder", protocol)
