"""Small runs of language models on made-up text."""

import json
from pathlib import Path
from typing import Any

from clbench.core.scenario import Part, Protocol, Scenario
from clbench.engine.build import Run, prepare
from clbench.engine.parser import run_config

DOMAINS = {
    "letters": ["abcde", "fghij", "klmno", "pqrst", "uvwxy", "zabcd"],
    "digits": ["12345", "67890", "24680", "13579", "11235", "81321"],
    "capitals": ["ALPHA", "BRAVO", "DELTA", "GOLF", "HOTEL", "INDIA"],
}
PROTOCOL = Protocol(epochs=2, batch_size=4, max_tokens=24, test_per_class=6)
SCENARIO = Scenario(
    "lines",
    "Made-up lines",
    "language-model",
    tuple(Part(name, "lines", (name,)) for name in DOMAINS),
    False,
    "folder",
    PROTOCOL,
)


def write_lines(folder: Path) -> Path:
    """Writes the data folder of ``SCENARIO`` and a folder ``general`` of other text."""
    import random

    draw = random.Random(0)
    (folder / "lines").mkdir(parents=True)
    (folder / "general").mkdir()
    for split, size in (("train", 16), ("validation", 4), ("test", 8)):
        lines = [
            json.dumps({"text": " ".join(draw.choice(words) for _ in range(5)), "label": name})
            for name, words in DOMAINS.items()
            for _ in range(size)
        ]
        (folder / "lines" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    texts = [
        " ".join(draw.choice(["the", "of", "and", "to", "in", "is"]) for _ in range(8)) for _ in range(40)
    ]
    (folder / "general" / "all.txt").write_text("\n\n".join(texts))
    return folder


def language_run(folder: Path, baseline: str, name: str = "runs", **options: Any) -> Run:
    """Prepares a run; its texts are in ``folder / "data"``, written if they are not there."""
    if not (folder / "data").exists():
        write_lines(folder / "data")
    options = {"threads": 1, "precision": "float32", "continuations": 2, "epochs": 2, **options}
    config = run_config(
        {
            "scenario": "lines",
            "baseline": baseline,
            "encoder": "tiny-lm",
            "data_dir": str(folder / "data"),
            "generic_corpus": str(folder / "data" / "general"),
            "results": str(folder / name),
            **options,
        }
    )
    return prepare(config, scenario=SCENARIO)
