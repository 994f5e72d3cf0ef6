"""The discrete key-value bottleneck as a network (arXiv 2207.11240; for text, arXiv 2412.08528)."""

from __future__ import annotations

import dataclasses
import hashlib

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.methods.dkvb.codebook import nearest_keys
from clbench.methods.dkvb.layout import Layout
from clbench.models.classifier import Network
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix

DROPOUT = 0.1


class KeyValueBottleneck(Network):
    """Frozen keys that token states select, and learnable values behind them.

    Values and logits depend on a text only through how often it selects each key, so the prefix gives that
    list: for each value row that a text selects, the row and the count. Training and evaluation never see
    a token state.

    Args:
        context: What the run provides.
        layout: Segmentation, pooling, decoder and sizes.
        sparse: Whether the gradient of the values has entries for selected rows only.
    """

    keys: Tensor  # (H, K, d)
    projections: Tensor | None  # (H, D, d)

    def __init__(self, context: RunContext, layout: Layout, *, sparse: bool = True) -> None:
        super().__init__()
        generator = context.generator("network")
        heads, keys, size = layout.heads, layout.keys, layout.key_size
        self.layout = layout
        self.rows = heads * keys
        if layout.groups * self.rows > torch.iinfo(torch.int32).max:
            raise UserError(f"heads {heads} x keys {keys}: too many for the parametric decoder")
        self.row_shape = (layout.selections * layout.groups, (2,), torch.int32)
        self.register_buffer("keys", torch.randn(heads, keys, size, generator=generator))
        projections = None
        if layout.projection:
            projections = torch.randn(heads, layout.hidden_size, size, generator=generator) / size**0.5
        self.register_buffer("projections", projections)
        parametric = layout.decoder == "parametric"
        columns = size if parametric else context.columns
        self.values = nn.EmbeddingBag(self.rows, columns, mode="sum", sparse=sparse)
        self.decoder = None
        with torch.no_grad():
            self.values.weight.normal_(generator=generator)
            if parametric:
                inputs = layout.hidden_size if layout.segmentation == "token" else heads * size
                self.decoder = nn.Linear(inputs, context.columns)
                self.decoder.weight.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
                self.decoder.bias.zero_()
        self.dropout = nn.Dropout(DROPOUT)

    @property
    def prefix(self) -> FrozenPrefix:
        """From the encoder's states to how often a text selects each key."""
        layout = sorted(dataclasses.asdict(self.layout).items())
        return FrozenPrefix(self.layout.prefix_pooling, self.select, f"selections-{self.address(layout)}")

    def address(self, *more: object) -> str:
        """A hash of the keys as they are now, and of ``more``."""
        digest = hashlib.blake2b(repr(more).encode())
        for tensor in (self.keys, self.projections):
            if tensor is not None:
                digest.update(repr(tuple(tensor.shape)).encode() + tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:24]

    def select(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Which value rows texts select, and how often.

        Args:
            states: (N, D), the kept states of B texts one after the other.
            lengths: (B,) how many each has.

        Returns:
            (E, 2) int32, ``group * H * K + row`` and its count, the entries of each text in ascending order,
            one text after the other; and how many entries each text has, (B,).
        """
        layout = self.layout
        keys = self.keys.to(states.device)
        found = []
        for head, asked in enumerate(layout.queries(states, lengths, self.projections)):
            if layout.segmentation == "token" and layout.pooling == "cls" and head:
                break  # the first token is in the first segment
            rows = nearest_keys(asked.vectors, keys[head], layout.top_k) + head * layout.keys  # (n, k)
            group = asked.slot if layout.segmentation == "token" else torch.full_like(asked.slot, head)
            group = asked.text * layout.groups + (group if layout.groups > 1 else 0)
            found.append((group.unsqueeze(1) * self.rows + rows).flatten())
        entries, counts = torch.unique(torch.cat(found), return_counts=True)
        text = entries // (layout.groups * self.rows)
        pairs = torch.stack([entries % (layout.groups * self.rows), counts], dim=1).int()
        return pairs, text.bincount(minlength=len(lengths))

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C) from ``batch.rows`` (B, E, 2), the output of the prefix."""
        groups = self.layout.groups
        lengths = batch.mask.sum(1)
        # Real entries come first in each text: slices of them are several times faster than the mask.
        entries = torch.cat([each[:n] for each, n in zip(batch.rows, lengths.tolist(), strict=True)])
        row, count = entries.unbind(1)  # (E,), (E,)
        bag = torch.arange(len(batch), device=row.device).repeat_interleave(lengths)
        if groups > 1:
            bag = bag * groups + row // self.rows  # ascending
            row = row % self.rows
        sizes = bag.bincount(minlength=len(batch) * groups)
        weight = count.to(self.values.weight.dtype)
        sums = self.values(row, sizes.cumsum(0) - sizes, per_sample_weights=weight)
        total = bag.bincount(weight, minlength=len(sizes))
        means: Tensor = sums / total.unsqueeze(1).clamp(min=1)  # (B * G, V)
        if self.decoder is None:
            return means
        means = means.view(len(batch), groups, -1)
        if self.layout.segmentation == "token":  # (B, D, T / H): positions within segments
            means = means.mean(2) if self.layout.pooling == "mean" else means[..., 0]
        logits: Tensor = self.decoder(self.dropout(means.flatten(1)))
        return logits
