"""What runs and their metrics are called in Weights & Biases: loggers and dashboards share these names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

Mode = Literal["offline", "online"]
"""``offline`` needs neither account nor network; ``wandb sync`` sends such a run later."""

EXPERIENCE = "experience"
"""The axis of everything measured after an experience: how many the method has seen."""
STEP = "train/step"
"""The axis of losses: optimizer steps since the stream began."""
STEPPED = {STEP: ("train/*",), EXPERIENCE: ("eval/*", "stage/*", "diagnostics/*")}
"""By axis, the metrics that are drawn over it."""

STREAM_ACCURACY = "eval/stream_accuracy"
ACCURACY, MACRO_F1 = "eval/accuracy", "eval/macro_f1"
"""Each is followed by the number of the experience whose test texts are meant."""
STAGE, DIAGNOSTICS = "stage", "diagnostics"
"""What an experience cost, and what the method says of itself after it."""
METRICS, COSTS = "metrics", "costs"
"""In the summary: the metrics and costs of the result file, groups divided by slashes."""
MATRIX_TABLE, MATRIX_IMAGE = "matrix/table", "matrix/image"
MATRIX_COLUMNS = ("experience trained", "experience tested", "accuracy", "macro-F1")


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
    """The name that is shown for a run."""
    return f"{config['scenario']}/{config['method']}/order{config['order']}-seed{config['seed']}"


def run_id(config: Mapping[str, Any], group: str) -> str:
    """The id of a run: the same whenever the same run is sent, live or from its file, to any project."""
    identity = [group, *(str(config[key]) for key in ("scenario", "encoder", "method", "order", "seed"))]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def tags(config: Mapping[str, Any]) -> list[str]:
    """Scenario, encoder and tuning; the service takes no longer tags than 64 letters."""
    return list(dict.fromkeys(str(config[key])[:64] for key in ("scenario", "encoder", "tuning")))
