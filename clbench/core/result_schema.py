"""The version of result files, and how files of earlier versions are read.

Schema 2 renamed keys: configuration ``draws`` and ``general``, the argument ``initialisation`` of DKVB, the
diagnostic ``quantisation_error``, and the note ``told``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = 2
"""The version that is written."""
_CONFIG = {"draws": "samples_per_epoch", "general": "generic_corpus"}
_ARGUMENTS = {"initialisation": "initialization"}
_DIAGNOSTICS = {"quantisation_error": "quantization_error"}
_NOTES = {"told": "task-id-oracle"}


def migrated(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a result file in the current schema; files of an unknown schema are left as they are."""
    if content.get("schema") != 1:
        return content
    content = {**content, "schema": SCHEMA}
    if isinstance(config := content.get("config"), dict):
        config = _renamed(config, _CONFIG)
        if isinstance(arguments := config.get("arguments"), dict):
            config["arguments"] = _renamed(arguments, _ARGUMENTS)
        if isinstance(notes := config.get("notes"), list):
            config["notes"] = [_NOTES.get(note, note) if isinstance(note, str) else note for note in notes]
        content["config"] = config
    diagnostics = content.get("diagnostics")
    if isinstance(diagnostics, dict) and isinstance(entries := diagnostics.get("experiences"), list):
        renamed = [_renamed(each, _DIAGNOSTICS) if isinstance(each, dict) else each for each in entries]
        content["diagnostics"] = {**diagnostics, "experiences": renamed}
    return content


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
