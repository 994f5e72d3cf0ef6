"""The version of result files, and how files of earlier versions are read.

Schema 5 has ``head`` in the configuration, which was linear.

Schema 4 changed the macro-F1 of single-head streams from the mean over experiences to that of the union of
all test sets. It is computed anew from the confusion counts. The protocol has ``patience``, and costs have
the phase ``validate``, which no earlier run had. The configuration has ``pooling``,
which was the mean.

Schema 3 renamed the configuration's ``dtype`` to ``precision``. It is now that of trained encoders as well,
which computed in float32 before. It is no longer among the fingerprints: it stands in the configuration.

Schema 2 renamed keys: the configuration's ``draws`` and ``general``, the argument ``initialisation`` of DKVB,
the diagnostic ``quantisation_error``. The configuration has one key ``stream`` instead of ``joint`` and
``single``, and its notes are objects instead of texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clbench.core.metrics import stream_macro_f1

SCHEMA = 5
"""The version that is written."""
_CONFIG = {"draws": "samples_per_epoch", "general": "generic_corpus"}
_ARGUMENTS = {"initialisation": "initialization"}
_DIAGNOSTICS = {"quantisation_error": "quantization_error"}
_NOTES = {"future": "sees-future", "told": "task-id-oracle", "task-id-oracle": "task-id-oracle",
          "upper-bound": "upper-bound", "differs": "deviation"}  # fmt: skip


def migrated(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a result file in the current schema; files of an unknown schema are left as they are.

    Raises:
        ValueError: A value that is migrated is invalid.
    """
    if content.get("schema") == 1:
        content = _second(content)
    if content.get("schema") == 2:
        content = _third(content)
    if content.get("schema") == 3:
        content = _fourth(content)
    return _fifth(content) if content.get("schema") == 4 else content


def _second(content: dict[str, Any]) -> dict[str, Any]:
    content = {**content, "schema": 2}
    if isinstance(config := content.get("config"), dict):
        config = _renamed(config, _CONFIG)
        if isinstance(arguments := config.get("arguments"), dict):
            config["arguments"] = _renamed(arguments, _ARGUMENTS)
        if isinstance(notes := config.get("notes"), list):
            config["notes"] = [_note(str(note)) for note in notes]
        config["stream"] = _stream(config.pop("joint", None), config.pop("single", None))
        content["config"] = config
    diagnostics = content.get("diagnostics")
    if isinstance(diagnostics, dict) and isinstance(entries := diagnostics.get("experiences"), list):
        renamed = [_renamed(each, _DIAGNOSTICS) if isinstance(each, dict) else each for each in entries]
        content["diagnostics"] = {**diagnostics, "experiences": renamed}
    return content


def _third(content: dict[str, Any]) -> dict[str, Any]:
    content = {**content, "schema": 3}
    if isinstance(config := content.get("config"), dict) and "dtype" in config:
        config = _renamed(config, {"dtype": "precision"})
        if config.get("tuning", "frozen") != "frozen":
            config["precision"] = "float32"
        content["config"] = config
    provenance = content.get("provenance")
    if isinstance(provenance, dict) and isinstance(fingerprints := provenance.get("fingerprints"), dict):
        kept = {name: value for name, value in fingerprints.items() if name != "dtype"}
        content["provenance"] = {**provenance, "fingerprints": kept}
    return content


def _fourth(content: dict[str, Any]) -> dict[str, Any]:
    content = {**content, "schema": 4}
    config, metrics = content.get("config"), content.get("metrics")
    if isinstance(config, dict):
        content["config"] = config = {**config, "patience": None, "pooling": "mean"}
        if isinstance(metrics, dict) and config.get("task_aware") is False:
            union = None if metrics.get("macro_f1") is None else _union_macro_f1(content)
            content["metrics"] = {**metrics, "macro_f1": union}
    if isinstance(costs := content.get("costs"), dict):
        content["costs"] = {**costs, **_without_validation(costs)}
    return content


def _fifth(content: dict[str, Any]) -> dict[str, Any]:
    content = {**content, "schema": 5}
    if isinstance(config := content.get("config"), dict):
        content["config"] = {**config, "head": "linear"}
    return content


def _union_macro_f1(content: Mapping[str, Any]) -> float | None:
    """From the counts of the last stage; None without valid ones, which the file's check refuses."""
    try:
        size = len(content["config"]["columns"])
        cells = np.array([cell for each in content["confusion"][-1] for cell in each])
        counts = np.zeros((size, size))
        np.add.at(counts, (cells[:, 0], cells[:, 1]), cells[:, 2])
        return stream_macro_f1([counts], task_aware=False)
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _without_validation(costs: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and operations with a phase ``validate`` that cost nothing."""
    found: dict[str, Any] = {}
    if isinstance(seconds := costs.get("seconds"), dict) and "evaluate" in seconds:
        found["seconds"] = {**seconds, "validate": 0.0}
    if isinstance(flops := costs.get("flops"), dict) and isinstance(phases := flops.get("phases"), dict):
        found["flops"] = {**flops, "phases": {**phases, "validate": {"algorithm": 0, "spent": 0}}}
    return found


def _stream(joint: Any, single: Any) -> str:
    for name, value in (("joint", joint), ("single", single)):
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"config.{name} is not true or false")
    return "joint" if joint else "single" if single else "sequential"


def _note(note: str) -> dict[str, str]:
    """``differs: 300 texts per class`` is a deviation with a text; unknown notes are remarks."""
    kind, _, text = note.partition(":")
    if kind in _NOTES and (kind == "differs" or not text):
        return {"kind": _NOTES[kind], "text": text.strip()}
    return {"kind": "remark", "text": note}


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
