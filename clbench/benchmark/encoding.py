"""Encoding texts with a frozen encoder."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from torch import nn

from clbench.benchmark import naive
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin
from clbench.core.costs import peak_bytes, reset_peak
from clbench.core.device import compute_device
from clbench.models.frozen_prefix import TOKENS_PER_BATCH, encode

TEXTS = 2048
"""How many texts are encoded; fewer leave more batches partly filled."""


def encode_naive(setting: Setting) -> Measured:
    """Per text: batches of 32, padded to the length limit, float32."""
    encoder = begin(setting, "float32")
    tokens = setting.tokens(encoder, 32)
    return repeated(lambda: naive.encode(encoder, tokens, setting.max_tokens), units=len(tokens))


def encode_engine(setting: Setting) -> Measured:
    """Per text: batches of texts of like length."""
    encoder = begin(setting)
    tokens = setting.tokens(encoder, TEXTS)
    list(encode(encoder, tokens.select(range(64))))
    reset_peak()
    started = time.perf_counter()
    for _ in encode(encoder, tokens):
        pass
    return Measured((time.perf_counter() - started) / len(tokens), max(peak_bytes().values()))


def encode_limit(setting: Setting) -> Measured:
    """Per text: the products with the encoder's weights for its tokens, without padding, and nothing else."""
    encoder = begin(setting)
    rows = int(setting.tokens(encoder, TEXTS).lengths.sum())
    count = TOKENS_PER_BATCH[compute_device().type]
    linear = [each for each in encoder.frozen().to(compute_device()).modules() if isinstance(each, nn.Linear)]  # type: ignore[arg-type]
    inputs = {
        size: torch.randn(count, size).to(linear[0].weight) for size in {each.in_features for each in linear}
    }

    def work() -> None:
        with torch.no_grad():
            for each in linear:
                F.linear(inputs[each.in_features], each.weight, each.bias)

    per_batch = repeated(work, units=1)
    return Measured(per_batch.seconds * rows / count / TEXTS, per_batch.peak_bytes)


CASES = (
    Case(
        "encode",
        "encoding a text, against batches of 32 padded to the limit, float32",
        5,
        encode_naive,
        encode_engine,
    ),
    Case(
        "encode_limit",
        "encoding a text, against the bare products of its tokens with the encoder's weights in the same "
        "precision, without attention: the ratio is the share of this limit",
        0.6,
        encode_limit,
        encode_engine,
    ),
)
