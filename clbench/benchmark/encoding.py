"""Encoding texts with a frozen encoder."""

from __future__ import annotations

import time

from clbench.benchmark import naive
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin
from clbench.core.costs import peak_bytes, reset_peak
from clbench.models.frozen_prefix import encode


def encode_naive(setting: Setting) -> Measured:
    """Per text: batches of 32, padded to the length limit, float32."""
    encoder = begin(setting, "float32")
    tokens = setting.tokens(encoder, 32)
    return repeated(lambda: naive.encode(encoder, tokens, setting.max_tokens), units=len(tokens))


def encode_engine(setting: Setting) -> Measured:
    """Per text: batches of texts of like length."""
    encoder = begin(setting)
    tokens = setting.tokens(encoder, 2048)
    list(encode(encoder, tokens[:64]))
    reset_peak()
    started = time.perf_counter()
    for _ in encode(encoder, tokens):
        pass
    return Measured((time.perf_counter() - started) / len(tokens), max(peak_bytes().values()))


CASES = (
    Case(
        "encode",
        "encoding a text, against batches of 32 padded to the limit, float32",
        5,
        encode_naive,
        encode_engine,
    ),
)
