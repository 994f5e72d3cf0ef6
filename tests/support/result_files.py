"""Result files that tests of tables write themselves, with numbers that are easy to compute by hand."""

import json
import re

from clbench.reporting.load import load_results

HOSTILE = "<img onerror=alert(1)>|"
JOINT = "finetune-full-joint"
ORACLE = "dkvb-np-oracle"
METRICS = ("average_accuracy", "learning_accuracy", "forgetting", "bwt", "macro_f1")

# By hand for T = 2: ((R11 + R22) / 2 and so on) average, learning, forgetting, BWT, macro-F1.
EWC = [
    ([[0.8, 0.2], [0.5, 0.7]], (0.6, 0.75, 0.3, -0.3, 0.5)),
    ([[0.8, 0.2], [0.6, 0.8]], (0.7, 0.80, 0.2, -0.2, 0.6)),
]
DKVB = [
    ([[0.9, 0.3], [0.8, 0.8]], (0.8, 0.85, 0.1, -0.1, 0.8)),
    ([[0.9, 0.3], [0.9, 0.9]], (0.9, 0.90, 0.0, 0.0, 0.8)),
]
SLOW = [([[0.5, 0.1], [0.4, 0.4]], (0.4, 0.45, 0.1, -0.1, 0.3))] * 2
ALL_AT_ONCE = [([[0.7, 0.8]], (0.75, None, None, None, 0.7))] * 2
METHODS = {HOSTILE: SLOW, ORACLE: DKVB, "ewc-frozen": EWC, JOINT: ALL_AT_ONCE}


def result(scenario, method, seed, *, status="done"):
    """The content of the file of one run of a method of :data:`METHODS`."""
    accuracy, values = METHODS[method][seed]
    if status != "done":
        accuracy, values = accuracy[:1], [None] * len(METRICS)
    content = {
        "schema": 1,
        "status": status,
        "config": {
            "scenario": scenario,
            "title": f"Scenario {scenario}",
            "encoder": "tiny",
            "method": method,
            "joint": method == JOINT,
            "order": 0,
            "seed": seed,
            "notes": {JOINT: ["upper-bound"], ORACLE: ["future"]}.get(method, []),
        },
        "provenance": {
            "commit": "c0ffee",
            "machine": {"cores": 2},
            "versions": {"torch": "2.9", "clbench": "0.1"},
            "date": f"2026-01-0{seed + 1}",
        },
        "accuracy": accuracy,
        "macro_f1": accuracy,
        "stream_accuracy": [sum(row) / len(row) for row in accuracy],
        "metrics": dict(zip(METRICS, values, strict=True)),
        "costs": {
            "seconds": {"train": 6.0 + 2 * seed, "total": 10.0 + 2 * seed},
            "carried_bytes": {"total": 1536},
        },
        "experiences": [
            {"name": "one", "seconds": {"train_per_epoch": 1.0}},
            {"name": "two", "seconds": {"train_per_epoch": 2.0 + 2 * seed}},
        ],
    }
    if status == "failed":
        content["error"] = "out of memory | `rm`"
    return content


def scored(scenario, method, scores, **config):
    """Runs of a method with these average accuracies, seeds from 0; (seed, order) as keys of a dict."""
    named = scores if isinstance(scores, dict) else {(0, seed): score for seed, score in enumerate(scores)}
    contents = []
    for (order, seed), score in named.items():
        content = result(scenario, "ewc-frozen", 0)
        content["config"] |= {"method": method, "order": order, "seed": seed, **config}
        content["metrics"]["average_accuracy"] = score
        content["accuracy"] = [*content["accuracy"][:-1], [score, score]]
        contents.append(content)
    return contents


def write(folder, content):
    """Writes one file where it belongs, with a plain folder name whatever the method is called."""
    config = content["config"]
    method = re.sub(r"[^a-z0-9-]", "_", config["method"])
    name = f"order{config['order']}-seed{config['seed']}.json"
    path = folder / config["scenario"] / config["encoder"] / method / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_all(folder):
    """Two scenarios, four methods, two seeds; in beta one run failed and one is still running."""
    unfinished = {("beta", "ewc-frozen", 1): "failed", ("beta", HOSTILE, 1): "running"}
    for scenario in ("alpha", "beta"):
        for method in METHODS:
            for seed in (0, 1):
                status = unfinished.get((scenario, method, seed), "done")
                write(folder, result(scenario, method, seed, status=status))
    return folder


def close(folder):
    """The frame of a best method and of one that is not significantly worse in three runs."""
    best, near = scored("alpha", "best", [0.9, 0.8, 0.85]), scored("alpha", "near", [0.85, 0.82, 0.8])
    return loaded(folder, best, near)


def loaded(folder, *runs):
    """The frame of these lists of runs' contents, written to ``folder``."""
    for content in (content for contents in runs for content in contents):
        write(folder, content)
    return load_results([folder])
