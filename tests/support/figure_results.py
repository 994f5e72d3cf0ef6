"""Result files for the tests of plots, written by hand."""

import json
from statistics import fmean

from clbench.core.metrics import METRICS
from clbench.reporting.load import load_results


def run(method, accuracy, *, scenario="alpha", seed=0, status="done", **more):
    """The content of one result file, as ``clbench.core.result`` writes it, as far as reports read it.

    ``more`` has further values of ``config``, or in ``costs``, ``metrics`` or ``diagnostics`` theirs.
    """
    groups = {name: more.pop(name, {}) for name in ("costs", "metrics", "diagnostics")}
    content = {
        "schema": 1,
        "status": status,
        "config": {
            "scenario": scenario,
            "title": f"Scenario {scenario}",
            "encoder": "tiny",
            "method": method,
            "joint": method.endswith("-joint"),
            "order": 0,
            "seed": seed,
            "notes": [],
            **more,
        },
        "accuracy": accuracy,
        "macro_f1": accuracy,
        "stream_accuracy": [fmean(row) for row in accuracy],
        "metrics": dict.fromkeys(METRICS),
        "costs": groups["costs"],
        "experiences": [{"name": f"part {i}"} for i in range(len(accuracy))],
        "diagnostics": {"experiences": groups["diagnostics"]} if groups["diagnostics"] else {},
    }
    if status == "done":
        content["metrics"]["average_accuracy"] = fmean(accuracy[-1])
    else:
        content["error"] = "out of memory"
    content["metrics"] |= groups["metrics"]
    return content


def load(folder, contents):
    """Writes the result files, and loads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"order{number}-seed0.json").write_text(json.dumps(content))
    return load_results([folder])
