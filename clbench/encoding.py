"""Many texts through a frozen encoder, each with what it costs.

Texts are encoded in batches of a *fixed* shape for each length, so a text's states do not depend, bit for
bit, on the texts that share its batch: floating point kernels choose their order of summation by the shape
of their inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from clbench.batch import pad
from clbench.device import compute_device
from clbench.encoder import TextEncoder
from clbench.flops import Cost, Measurement

LENGTH_STEP = 16
"""Texts are padded to a multiple of this many tokens."""
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 65536}
"""Tokens in one encoder batch, padding included."""


def encode(
    encoder: TextEncoder, tokens: Sequence[np.ndarray], pad_to: int | None = None
) -> Iterator[tuple[int, np.ndarray, Cost]]:
    """Encodes tokenized texts, shortest first, in batches of a fixed shape per length.

    Args:
        encoder: The frozen encoder.
        tokens: n arrays (T, 2) of token and segment ids.
        pad_to: Pad every text to this many tokens and keep the states of its padding.

    Yields:
        The position of a text, its token states (T, D) in float32, and its share of the cost.
    """
    device = compute_device()
    shapes = [pad_to or -(-len(rows) // LENGTH_STEP) * LENGTH_STEP for rows in tokens]
    for length in sorted(set(shapes)):
        places = [at for at, size in enumerate(shapes) if size == length]
        batch = max(1, TOKENS_PER_BATCH[device.type] // length)
        for begin in range(0, len(places), batch):
            chosen = places[begin : begin + batch]
            # The last batch is filled up with copies: the shape decides the rounding.
            filled = chosen + [chosen[0]] * (batch - len(chosen))
            with Measurement() as measured:
                rows, mask = pad([tokens[at] for at in filled])
                rows = torch.nn.functional.pad(rows, (0, 0, 0, length - rows.shape[1]))
                mask = torch.nn.functional.pad(mask, (0, length - mask.shape[1]))
                states = encoder.frozen_states(rows.to(device), mask.to(device)).cpu().numpy()
            cost = Cost(measured.cost.seconds / len(chosen), measured.cost.flops // len(filled))
            for at, state in zip(chosen, states, strict=False):
                yield at, state[: pad_to or len(tokens[at])].copy(), cost
