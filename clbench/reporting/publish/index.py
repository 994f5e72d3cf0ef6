"""The README of a results folder: how it was made, deviations from the paper, published results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from clbench.core.scenario import Protocol
from clbench.reporting.formatting import percent
from clbench.reporting.publish.published import FIGURES, FROZEN, SOURCE
from clbench.reporting.publish.time_taken import time_taken
from clbench.reporting.tables.cells import NOTHING
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.notes import deviations, sources
from clbench.reporting.tables.render_markdown import aligned, escaped

ENCODERS = ("bert-base", "roberta-base", "distilbert")
"""Those of the DKVB paper."""
_PROTOCOL = {
    "epochs": "epochs",
    "patience": "epochs of patience",
    "batch_size": "texts per step",
    "max_tokens": "tokens",
    "samples_per_epoch": "texts drawn per epoch",
    "train_per_class": "training texts of a class at most",
    "test_per_class": "test texts of a class at most",
}


def index(frame: pd.DataFrame, folder: Path, declared: Mapping[str, Protocol]) -> str:
    """A README, as Markdown, for a folder of results.

    Args:
        frame: What :func:`clbench.reporting.load.load_results` returns.
        folder: Where it will stand: reports below it are linked.
        declared: By scenario, the protocol that the paper's runs follow.
    """
    compared = comparison_table(frame)
    parts = [
        "# Results",
        "Made by `clbench report --index`, from result files alone; it is not to be edited.",
        "## Tables and plots",
        "\n".join(f"- [{each}]({each}/table.md)" for each in _reports(folder)) or "None yet.",
        "## How they were made",
        "\n".join(f"- {line}" for line in _made(frame)),
        "## What was run",
        _runs(frame),
        "## How long it took",
        time_taken(frame, folder) or "Not recorded.",
        "## What differs from the paper",
        "\n".join(f"- {line}" for line in _differences(frame, compared, declared)),
        "## Methods that see future data",
        "\n".join(f"- {escaped(name)}" for name in _future(frame)) or "None.",
        "## Published figures beside ours",
        _published(frame, compared),
    ]
    return "\n\n".join(parts) + "\n"


def _reports(folder: Path) -> list[str]:
    return sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("table.md"))


def _made(frame: pd.DataFrame) -> Iterable[str]:
    for key, value in sources(frame).items():
        yield f"{key.capitalize()}: {escaped(value)}"
    yield "Encoder: " + _all(
        {f"{run['encoder']} in {run['config'].get('precision')}" for run in frame.to_dict("records")}
    )


def _runs(frame: pd.DataFrame) -> str:
    body = [
        [
            escaped(str(scenario)),
            str(runs["method"].nunique()),
            str(len(runs)),
            str((runs["status"] == "done").sum()),
            ", ".join(sorted(set(runs["order"]))),
            ", ".join(str(seed) for seed in sorted(set(runs["seed"]))),
        ]
        for scenario, runs in frame.groupby("scenario", sort=True)
    ]
    return aligned(body, ["Scenario", "Methods", "Runs", "Done", "Orders", "Seeds"], "pipe")


def _differences(
    frame: pd.DataFrame, compared: pd.DataFrame, declared: Mapping[str, Protocol]
) -> Iterable[str]:
    others = sorted(set(frame["encoder"]) - set(ENCODERS))
    if others:
        yield f"Encoder {_all(set(others))}; the paper has BERT-base, RoBERTa-base and DistilBERT."
    for scenario, runs in frame.groupby("scenario", sort=True):
        if scenario in declared:
            yield from _of_protocol(str(scenario), runs, declared[str(scenario)])
        versions = {
            f"{name} in no known version"
            if facts.get("version") is None
            else f"{name} as in {facts['version']}"
            for source in runs["provenance"]
            for name, facts in source.get("datasets", {}).items()
        }
        if versions:
            yield f"{escaped(str(scenario))}, data: {_all(versions)}."
    table = compared.drop_duplicates("method")
    yield from map(escaped, deviations(table.to_dict("records")))


def _of_protocol(scenario: str, runs: pd.DataFrame, declared: Protocol) -> Iterable[str]:
    """Where the runs of a scenario have another protocol than it is declared with, tuning by tuning."""
    for tuning, some in runs.groupby(runs["config"].map(lambda config: config["tuning"]), sort=True):
        changes = [
            f"{meaning} {_all({_number(config.get(name)) for config in some['config']})}"
            f" instead of {_number(getattr(declared, name))}"
            for name, meaning in _PROTOCOL.items()
            if any(config.get(name) != getattr(declared, name) for config in some["config"])
        ]
        if changes:
            yield f"{escaped(scenario)}, {tuning}: {'; '.join(changes)}."


def _future(frame: pd.DataFrame) -> list[str]:
    future = frame["notes"].map(lambda notes: any(note.kind == "sees-future" for note in notes))
    return sorted(set(frame.loc[future, "name"]))


def _published(frame: pd.DataFrame, compared: pd.DataFrame) -> str:
    ours = {(row["scenario"], row["method"]): row for row in compared.to_dict("records") if row["n"]}
    published = {(scenario, method) for scenario, figures in FIGURES.items() for method in figures}
    if not published & set(ours):
        return "There are none of these methods on these scenarios."
    body = [
        [
            scenario,
            method,
            f"{accuracy:.2f}",
            f"{macro_f1:.2f}",
            *_own(ours.get((scenario, method), {})),
        ]
        for scenario, figures in FIGURES.items()
        if scenario in set(frame["scenario"])
        for method, (accuracy, macro_f1) in figures.items()
    ]
    headers = ["Scenario", "Method", "Published accuracy (%)", "Published macro-F1 (%)"]
    headers += ["Ours: accuracy (%)", "Ours: macro-F1 (%)", "n"]
    text = (
        f"From {SOURCE}; another encoder and protocol, and not the DKVB paper's. {FROZEN}. "
        "A dash: it is not here."
    )
    return f"{text}\n\n{aligned(body, headers, 'pipe')}"


def _own(row: Mapping[Any, Any]) -> list[str]:
    if not row:
        return [NOTHING, NOTHING, "0"]
    return [percent(row["average_accuracy"]), percent(row["macro_f1"]), str(row["n"])]


def _all(texts: Iterable[str]) -> str:
    return escaped("; ".join(sorted(texts))) or "not recorded"


def _number(value: Any) -> str:
    return "all" if value is None else str(value)
