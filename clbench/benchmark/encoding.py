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
    list(encode(encoder, tokens.select(range(min(64, len(tokens))))))
    reset_peak()
    started = time.perf_counter()
    for _ in encode(encoder, tokens):
        pass
    return Measured((time.perf_counter() - started) / len(tokens), max(peak_bytes().values()))


def encode_limit(setting: Setting) -> Measured:
    """Per text: the matrix products that its own tokens need, without padding, and nothing else."""
    encoder = begin(setting)
    lengths = setting.tokens(encoder, TEXTS).lengths.tolist()
    device = compute_device()
    size = TOKENS_PER_BATCH[device.type]
    model = encoder.frozen().to(device)  # type: ignore[arg-type]  # transformers wraps it untyped
    linear = [each for each in model.modules() if isinstance(each, nn.Linear)]
    widths = {each.in_features for each in linear}
    inputs = {width: torch.randn(size, width, device=device, dtype=encoder.dtype) for width in widths}
    heads, layers = model.config.num_attention_heads, model.config.num_hidden_layers
    shape = heads, setting.max_tokens, encoder.hidden_size // heads
    queries = torch.randn(shape, device=device, dtype=encoder.dtype)

    def weights() -> None:
        for each in linear:
            F.linear(inputs[each.in_features], each.weight, each.bias)

    def attention() -> None:
        for length in lengths:
            own = queries[:, :length]
            (own @ own.transpose(1, 2)) @ own

    with torch.no_grad():
        batch, layer = repeated(weights, units=size), repeated(attention, units=len(lengths))
    seconds = batch.seconds * sum(lengths) / len(lengths) + layer.seconds * layers
    return Measured(seconds, max(batch.peak_bytes, layer.peak_bytes))


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
        "encoding a text, against nothing but the matrix products that it needs, of tokens with weights and "
        "in attention, in the same precision: the ratio is the share of this limit",
        0.6,
        encode_limit,
        encode_engine,
    ),
)
