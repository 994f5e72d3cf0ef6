"""Result files in the form that runs write them, as many as a test of the page asks for."""

import hashlib
import json
import random
from html.parser import HTMLParser

HOSTILE = '<img src=x onerror="document.title=1">'
ARGUMENTS = {"heads": 4, "initialization": "oracle", "init_epochs": None}


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def write_result(folder, scenario, method, seed, *, stages=3, status="done", **config):
    """Writes one result file whose numbers follow from its seed and method, and returns its path."""
    content = _content(scenario, method, seed, stages, status)
    content["config"] |= config
    name = hashlib.sha256(method.encode()).hexdigest()[:12]
    path = folder / scenario.replace("/", "_") / name / f"order0-seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _content(scenario, method, seed, stages, status):
    draw = random.Random(f"{scenario} {method} {seed}")
    names = [f"part {place}" for place in range(1, stages + 1)]
    accuracy = [[draw.random() if i <= t else 0.0 for i in range(stages)] for t in range(stages)]
    forgotten = [max(row[i] for row in accuracy[i:-1]) - accuracy[-1][i] for i in range(stages - 1)]
    seconds = {name: draw.random() for name in ("encode", "keys", "train", "consolidate", "evaluate")}
    return {
        "schema": 1,
        "status": status,
        **({"error": f"ran out of memory in {HOSTILE}"} if status == "failed" else {}),
        "config": {
            "scenario": scenario,
            "title": f"Title of {scenario}",
            "encoder": "tiny",
            "method": method,
            "baseline": "baselines.dkvb.DKVB",
            "arguments": ARGUMENTS,
            "tuned": [],
            "tuning": "frozen",
            "joint": False,
            "notes": ["future"] if "oracle" in method else [],
            "order": "0",
            "seed": seed,
            "lr": 0.1,
            "epochs": 1,
        },
        "provenance": {
            "commit": "c0ffee",
            "date": f"2026-01-{1 + seed % 28:02}T00:00:00+00:00",
            "versions": {"clbench": "0.1.0"},
            "machine": {"system": "Linux", "cores": 2},
        },
        "accuracy": accuracy,
        "macro_f1": accuracy,
        "stream_accuracy": [sum(row) / stages for row in accuracy],
        "metrics": {
            "average_accuracy": sum(accuracy[-1]) / stages,
            "learning_accuracy": sum(accuracy[i][i] for i in range(stages)) / stages,
            "forgetting": sum(forgotten) / (stages - 1),
        },
        "costs": {
            "seconds": {**seconds, "total": sum(seconds.values())},
            "parameters": {"trainable": 100, "total": 20_000},
            "carried_bytes": {"total": draw.randrange(2**24)},
        },
        "experiences": [{"name": name, "examples": 16, "seconds": {"train": 0.1}} for name in names],
        "diagnostics": {"experiences": _use_of_keys(names, draw)} if "dkvb" in method else {},
    }


def _use_of_keys(names, draw):
    return [
        {
            "name": name,
            "keys_in_use": 10 + place,
            "dead_keys": 5,
            "perplexity": 3.5,
            "overlap": [draw.random() for _ in range(place)],
        }
        for place, name in enumerate(names)
    ]
