"""The names of the measurements, to be known before anything heavy is imported."""

from __future__ import annotations

NAMES = (
    "encode", "encode_limit", "assign", "key_init", "train_step", "value_rows", "evaluate",
    "train_encoder_step", "probe_step", "probe_run", "evaluate_stream", "startup", "protocol_cold",
    "protocol_warm", "scaling",
)  # fmt: skip
