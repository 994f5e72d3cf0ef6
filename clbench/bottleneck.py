"""The discrete key-value bottleneck as a network (arXiv 2207.11240; for text, arXiv 2412.08528)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.batch import Batch
from clbench.codebook import nearest_keys, split_heads
from clbench.errors import UserError
from clbench.network import Context, Network, Stem


class KeyValueBottleneck(Network):
    """Frozen keys that token states select, and learnable values behind them.

    Hidden segmentation: a token state of D dimensions is cut into H heads, each of which selects the
    nearest of its K keys. Non-parametric decoder with mean pooling after the bottleneck: a value has C
    entries, and a text's logits are the mean of the values that its tokens and heads select.

    Values have sparse gradients: entries for the selected rows only.

    Args:
        context: What the run provides.
        heads: H, a divisor of D.
        keys: K, per head.
    """

    keys: Tensor  # (H, K, D / H)
    version: Tensor
    first: Tensor

    def __init__(self, context: Context, heads: int, keys: int) -> None:
        super().__init__()
        size = context.encoder.hidden_size
        if size % heads:
            raise UserError(
                f"heads {heads}: not a divisor of {size}, the hidden size of encoder '{context.encoder.name}'"
            )
        generator = context.generator("network")
        self.row_shape = (context.max_tokens, (heads,), torch.int32)
        self.register_buffer("keys", torch.randn(heads, keys, size // heads, generator=generator))
        self.register_buffer("version", torch.zeros((), dtype=torch.int64))
        self.register_buffer("first", torch.arange(heads) * keys, persistent=False)  # row of a head's key 0
        self.values = nn.EmbeddingBag(heads * keys, context.columns, mode="mean", sparse=True)
        with torch.no_grad():
            self.values.weight.normal_(generator=generator)

    @property
    def stem(self) -> Stem:
        """From token states to the indices of the selected keys."""
        return Stem("states", self.select, int(self.version))

    def queries(self, states: Tensor) -> Tensor:
        """Token states (N, D) as queries (N, H, D / H)."""
        return split_heads(states, len(self.keys))

    def start_keys(self, states: Tensor, generator: torch.Generator) -> None:
        """Puts the keys of each head at the queries of random token states (N, D), about equally often."""
        repeats = -(-self.keys.shape[1] // len(states))
        chosen = torch.cat([torch.randperm(len(states), generator=generator) for _ in range(repeats)])
        queries = self.queries(states[chosen[: self.keys.shape[1]]])  # (K, H, D / H)
        self.keys.copy_(queries.transpose(0, 1))

    def select(self, states: Tensor) -> Tensor:
        """Token states (N, D) to the indices (N, H) of their nearest keys, as int32."""
        return nearest_keys(self.queries(states), self.keys).int()

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C) from selected keys, ``batch.rows`` (B, T, H)."""
        rows = (batch.rows + self.first)[batch.mask]  # (tokens, H)
        lengths = batch.mask.sum(1) * rows.shape[1]
        logits: Tensor = self.values(rows.flatten(), lengths.cumsum(0) - lengths)
        return logits
