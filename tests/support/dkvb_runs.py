"""Runs of DKVB on small folders of text and the tiny encoder."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from support.naive_dkvb import naive_counts

from clbench.core.scenario import Part, Scenario
from clbench.engine.build import Run, prepare
from clbench.engine.parser import parse_run
from clbench.models import tiny
from clbench.models.frozen_prefix import FrozenPrefix

MAX_TOKENS = 16
SIX = ("a", "b", "c", "d", "e", "f")
PAIRED = tuple(Part("".join(two), "six", two) for two in (SIX[:2], SIX[2:4], SIX[4:]))
DOMAINS = tuple(Part(domain, "kinds", ("no", "yes"), domain) for domain in ("news", "mail"))
TASKS = (Part("plain", "kinds", ("no", "yes")), Part("pairs", "pairs", ("no", "yes")))
SCENARIOS = {
    "cil": Scenario("cil", "", "class", PAIRED, False, "folder"),
    "cil-aware": Scenario("cil-aware", "", "class", PAIRED, True, "folder"),
    "dil": Scenario("dil", "", "domain", DOMAINS, False, "folder"),
    "til": Scenario("til", "", "task", TASKS, True, "folder"),
}
LAYOUTS = {
    "hidden": (),
    "token": (".segmentation", "token"),
    "cls": (".pooling", "cls", ".place", "before"),
    "before": (".place", "before", ".padding", "reference"),
    "parametric": (".decoder", "parametric", ".top_k", "2", ".projection", "5"),
    "padding": (".padding", "reference", ".decoder", "parametric", ".segmentation", "token"),
}
by_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def write_texts(folder: Path) -> None:
    """Writes texts of 1 to 20 words, of which each class prefers some."""
    draw = random.Random(0)
    words = [word for word in tiny.vocabulary() if word.isalpha() and len(word) > 2]

    def text(label: str) -> str:
        liked = words[ord(label[0]) % 26 :: 26]
        return " ".join(draw.choice(draw.choice([words, liked])) for _ in range(draw.randint(1, 20)))

    for name, labels in (("six", SIX), ("kinds", ("no", "yes")), ("pairs", ("no", "yes"))):
        (folder / name).mkdir()
        for split, size in (("train", 8), ("validation", 1), ("test", 3)):
            lines = [
                {"text": text(label), "text_pair": text(label) if name == "pairs" else None}
                | {"label": label, "domain": domain}
                for label in labels
                for domain in ("news", "mail")
                for _ in range(size // 2 or 1)
            ]
            (folder / name / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (folder / "general").mkdir()
    (folder / "general" / "all.txt").write_text("\n\n".join(text("q") for _ in range(20)))


def options(data: Path, results: Path, *more: str) -> list[str]:
    """Options of a run; those of DKVB are written with a dot before them."""
    fixed = ["--scenario", "cil", "--encoder", "tiny", "--precision", "float32", "--epochs", "1"]
    fixed += ["--batch-size", "4", "--max-tokens", str(MAX_TOKENS), "--data-dir", str(data)]
    fixed += ["--results", str(results), "--generic-corpus", str(data / "general"), "--baseline", "dkvb"]
    fixed += ["--baseline.heads", "4", "--baseline.keys", "64", "--baseline.init_batch_size", "8"]
    return [*fixed, *(f"--baseline{word}" if word.startswith(".") else word for word in more)]


def prepared(data: Path, results: Path, *more: str) -> Run:
    return prepare(parse_run(options(data, results, *more)))


def result(results: Path, scenario: str = "cil") -> dict:
    (path,) = (results / scenario / "tiny").glob("*/*.json")
    return json.loads(path.read_text())


def uses_of(run: Run, stage: int) -> Counter:
    """How often the training texts of a stage select each value row, from their token states."""
    prefix = FrozenPrefix("padded" if run.learner.network.layout.padding == "reference" else "states")
    uses: Counter = Counter()
    for batch in run.data.reader(stage).batches(1, prefix=prefix):
        uses += naive_counts(run.learner.network, batch.rows)
    return uses
