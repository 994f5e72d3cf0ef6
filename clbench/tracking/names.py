"""The names of runs and metrics in Weights & Biases, shared by loggers and dashboards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from clbench.reporting.names import full_name

Mode = Literal["offline", "online"]
"""``offline`` needs neither account nor network; ``wandb sync`` sends such a run later."""

EXPERIENCE = "experience"
"""The x-axis of metrics that are measured after an experience: the number of experiences seen."""
LOSS = "train/loss"
"""The mean training loss of the steps since the last entry."""
STEP = "train/step"
"""The x-axis of losses: optimizer steps since the start of the stream."""
STEPPED = {STEP: ("train/*",), EXPERIENCE: ("eval/*", "stage/*", "diagnostics/*")}
"""By x-axis, the metrics that use it."""

STREAM_ACCURACY = "eval/stream_accuracy"
STREAM_BITS, GENERAL_BITS, BITS = "eval/stream_bits", "eval/general_bits", "eval/bits_per_byte"
ACCURACY, MACRO_F1 = "eval/accuracy", "eval/macro_f1"
"""Prefixes; the number of the tested experience follows."""
STAGE, DIAGNOSTICS = "stage", "diagnostics"
"""Prefixes of the costs of an experience, and of the method's diagnostics after it."""
METRICS, COSTS = "metrics", "costs"
"""Prefixes in the summary: metrics and costs of the result file, groups separated by slashes."""
FAMILY = "family"
"""The family of the method, in the configuration beside what the result file has there."""
MATRIX_TABLE, MATRIX_IMAGE = "matrix/table", "matrix/image"
MATRIX_COLUMNS = ("experience trained", "experience tested")
"""Before those of what is measured."""


def on_experience(metric: str, number: int) -> str:
    """The name of ``metric`` on the test texts of experience ``number``, from 1.

    Numbers, because a stream in another order has other texts there, and two digits, because names are
    sorted as text.
    """
    return f"{metric}/{number:02d}"


def group_of(config: Mapping[str, Any], experiment: str | None) -> str:
    """The group of a run: the experiment that it is part of, or else its scenario."""
    return experiment or str(config["scenario"])


def run_name(config: Mapping[str, Any]) -> str:
    """The name that is shown for a run.

    Example:
        >>> run_name({"scenario": "r8-cil", "method": "dkvb-np-oracle", "order": 0, "seed": 1})
        'DKVB (oracle keys), r8-cil, order 0, seed 1'
    """
    return f"{full_name(config)}, {config['scenario']}, order {config['order']}, seed {config['seed']}"


def run_id(config: Mapping[str, Any], group: str) -> str:
    """The id of a run. It is the same for live logging and for a later upload, in every project."""
    identity = [group, *(str(config[key]) for key in ("scenario", "encoder", "method", "order", "seed"))]
    return short_hash(identity)


def short_hash(identity: Sequence[str]) -> str:
    """An id of 16 hexadecimal digits that follows from these texts alone."""
    return hashlib.sha256(json.dumps(list(identity)).encode()).hexdigest()[:16]


def tags(config: Mapping[str, Any]) -> list[str]:
    """Scenario, encoder and tuning, cut to the service's limit of 64 characters."""
    return list(dict.fromkeys(str(config[key])[:64] for key in ("scenario", "encoder", "tuning")))
