"""DKVB and fine-tuning without an engine: what public code does at every step, in plain torch.

Every text is padded to the length limit and encoded again whenever it is met; distances to all keys are
built in full; the value table is expanded per example and gathered from; AdamW moves every value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import masked_mean, pack, padded
from clbench.core.device import compute_device
from clbench.models.encoder import TextEncoder, token_states

CHUNK = 1024
"""Queries whose distances are built at a time: more of them are slower."""


def padded_tokens(tokens: Sequence[np.ndarray], max_tokens: int) -> tuple[Tensor, Tensor]:
    """Token rows (B, T, 2) of texts padded to T = ``max_tokens``, and the mask (B, T) of real tokens."""
    device = compute_device()
    rows, mask = padded(*pack(tokens))
    missing = max_tokens - mask.shape[1]
    return F.pad(rows, (0, 0, 0, missing)).to(device), F.pad(mask, (0, missing)).to(device)


def encode(encoder: TextEncoder, tokens: Sequence[np.ndarray], max_tokens: int) -> Tensor:
    """States (B, T, D) of texts padded to T = ``max_tokens``, in float32."""
    rows, mask = padded_tokens(tokens, max_tokens)
    with torch.no_grad():
        return token_states(encoder.frozen().to(rows.device), rows, mask)  # type: ignore[arg-type]


def assign(queries: Tensor, keys: Tensor) -> Tensor:
    """Nearest keys (N, H) of queries (N, H, d) among (H, K, d), by all distances, some queries at once."""
    found = [torch.cdist(part.transpose(0, 1), keys).argmin(2).T for part in queries.split(CHUNK)]
    return torch.cat(found)


def move_keys(keys: Tensor, queries: Tensor, decay: float) -> None:
    """Moves keys (H, K, d) towards the means of their queries (N, H, d), by one-hot assignments, in place."""
    assigned = assign(queries, keys)  # (N, H)
    for head, own in enumerate(keys):
        chosen = F.one_hot(assigned[:, head], len(own)).to(keys.dtype)  # (N, K)
        counts = chosen.sum(0).unsqueeze(1)
        means = chosen.T @ queries[:, head] / counts.clamp(min=1)
        own.copy_(torch.where(counts > 0, (1 - decay) * own + decay * means, own))


class NaiveDKVB(nn.Module):
    """Hidden segmentation, mean pooling after the bottleneck, non-parametric decoder; padding counts.

    Args:
        encoder: The frozen encoder.
        keys: (H, K, d).
        columns: C.
        max_tokens: T.
    """

    keys: Tensor

    def __init__(self, encoder: TextEncoder, keys: Tensor, columns: int, max_tokens: int) -> None:
        super().__init__()
        self.text_encoder = encoder
        self.max_tokens = max_tokens
        self.register_buffer("keys", keys)
        self.values = nn.Parameter(torch.randn(*keys.shape[:2], columns))  # (H, K, C)

    def forward(self, tokens: Sequence[np.ndarray]) -> Tensor:
        """Logits (B, C)."""
        heads, keys, columns = self.values.shape
        states = encode(self.text_encoder, tokens, self.max_tokens)  # (B, T, D)
        rows = assign(states.reshape(-1, heads, states.shape[2] // heads), self.keys)  # (B * T, H)
        rows = rows.view(len(states), -1, heads).transpose(1, 2)  # (B, H, T)
        table = self.values.expand(len(states), heads, keys, columns)
        picked = table.gather(2, rows.unsqueeze(3).expand(*rows.shape, columns))  # (B, H, T, C)
        return picked.mean((1, 2))


class FineTuning(nn.Module):
    """A linear layer on the mean token state of an encoder that trains as a whole.

    Args:
        encoder: Its model is copied.
        columns: C.
        max_tokens: T.
    """

    def __init__(self, encoder: TextEncoder, columns: int, max_tokens: int) -> None:
        super().__init__()
        self.model = encoder.model()
        self.head = nn.Linear(encoder.hidden_size, columns)
        self.max_tokens = max_tokens

    def forward(self, tokens: Sequence[np.ndarray]) -> Tensor:
        """Logits (B, C)."""
        rows, mask = padded_tokens(tokens, self.max_tokens)
        logits: Tensor = self.head(masked_mean(token_states(self.model, rows, mask), mask))
        return logits


def training_step(
    model: NaiveDKVB | FineTuning, optimizer: torch.optim.Optimizer, tokens: Sequence[np.ndarray]
) -> None:
    """One step on texts that all have class 0; which class it is does not change the work."""
    logits = model(tokens)
    loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=logits.device))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
