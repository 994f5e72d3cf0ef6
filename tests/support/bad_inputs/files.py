"""Files that are right, of which bad inputs are made."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

LABELS = "abcdefgh"


def lines(labels: str, each: int) -> str:
    """JSON lines of ``each`` texts of every label."""
    rows = [
        {"text": f"text {at} is about {label * 5} and {label}{at}", "label": label}
        for label in labels
        for at in range(each)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


SCENARIO: dict[str, Any] = {
    "title": "eight classes", "data": "r8s", "kind": "class",
    "protocol": {"epochs": 1, "batch_size": 16, "max_tokens": 32},
}  # fmt: skip
R8S = {
    "data/r8s/train.jsonl": lines(LABELS, 4),
    "data/r8s/test.jsonl": lines(LABELS, 2),
    "data/r8s.yaml": yaml.safe_dump(SCENARIO),
}
"""The data of ``$W/data/r8s.yaml``."""
OWN = {"d/train.jsonl": lines("ab", 6), "d/test.jsonl": lines("ab", 3)}
EXPERIMENT: dict[str, Any] = {
    "title": "one",
    "methods": [{"baseline": "finetune", "tuning": "frozen"}],
    "profiles": {
        "quick": {
            "scenarios": ["data/r8s.yaml"], "seeds": [0], "orders": [0],
            "options": {"encoder": "tiny", "epochs": 1, "threads": 1, "experiences": 2},
        }
    },
}  # fmt: skip


def scenario(**changed: Any) -> dict[str, Any]:
    """Files of a scenario ``s.yaml`` of one's own, with these keys."""
    return {"s.yaml": yaml.safe_dump({"data": "d", "kind": "class", **changed}), **OWN}


def experiment(**changed: Any) -> dict[str, Any]:
    """Files of an experiment ``e.yaml`` with these keys."""
    return {"e.yaml": yaml.safe_dump({**EXPERIMENT, **changed}), **R8S}


def profile(**changed: Any) -> dict[str, Any]:
    """Files of an experiment whose profile has these keys."""
    quick = {**EXPERIMENT["profiles"]["quick"], **changed}
    return experiment(profiles={"quick": quick})


def result(**changed: Any) -> dict[str, Any]:
    """The content of a result file; ``config__seed=1`` changes a key of an object."""
    accuracy = [[0.5, 0.25], [0.25, 0.75]]
    content: dict[str, Any] = {
        "schema": 3, "status": "done",
        "config": {
            "scenario": "r8", "title": "R8", "encoder": "tiny", "method": "ncm", "stream": "sequential",
            "order": "0", "seed": 0, "notes": [], "columns": ["a", "b"], "arguments": {}, "tuned": [],
            "baseline": "baselines.ncm.NCM", "epochs": 1, "batch_size": 16, "lr": 0.1, "kind": "class",
        },
        "provenance": {"commit": "c0ffee", "date": "2026-01-01"},
        "accuracy": accuracy, "macro_f1": accuracy, "stream_accuracy": [0.4, 0.5],
        "untrained_accuracy": [0.5, 0.5],
        "metrics": {"average_accuracy": 0.5, "learning_accuracy": 0.625, "forgetting": 0.25, "bwt": -0.25},
        "confusion": [[[[0, 0, 1], [0, 1, 1]], [[1, 0, 3], [1, 1, 1]]],
                      [[[0, 0, 1], [0, 1, 3]], [[1, 0, 1], [1, 1, 3]]]],
        "costs": {"seconds": {"train": 1.0, "total": 2.0}, "carried_bytes": {"total": 10}},
        "experiences": [{"name": "one"}, {"name": "two"}],
        "diagnostics": {},
    }  # fmt: skip
    for key, value in changed.items():
        target: Any = content
        *outer, last = key.split("__")
        for each in outer:
            target = target.setdefault(each, {})
        target[last] = value
    return content


def results(text: str | None = None, **changed: Any) -> Mapping[str, str]:
    """A folder ``r`` with one result file, changed or replaced."""
    return {"r/order0-seed0.json": json.dumps(result(**changed)) if text is None else text}
