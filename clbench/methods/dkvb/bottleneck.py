"""The discrete key-value bottleneck as a module (arXiv 2207.11240; for text, arXiv 2412.08528)."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.methods.dkvb.codebooks import Codebooks, KeyDtype
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.values import Stored, ValueDtype, ValueTable
from clbench.models.classifier import Network
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix
from clbench.models.layers import linear

DROPOUT = 0.1


@dataclasses.dataclass(frozen=True)
class Storage:
    """How keys and values are stored.

    Attributes:
        keys: The numbers of keys.
        room: How many of the K keys of a head are not there at first.
        rows: Which value rows the state holds.
        values: The numbers that values are carried in from one experience to the next.
    """

    keys: KeyDtype = "float32"
    room: int = 0
    rows: Stored = "all"
    values: ValueDtype = "float32"


STORAGE = Storage()
"""As the paper has it."""


class Bottleneck(nn.Module):
    """Frozen keys that token states select, the values behind them, and a decoder.

    The logits of a text depend on it only through how often it selects each key: ``select`` counts that, and
    ``read`` computes the logits from the counts.

    Args:
        layout: Segmentation, pooling, decoder and sizes.
        columns: C, the number of output columns.
        generator: Draws the initial keys and projections, and normal values; None is the global one.
        sparse: Whether the gradient of the values has entries for selected rows only.
        normal_values: Whether values start standard normal, as in the public code, and not at zero. A value
            that no text selects in training keeps its start for ever: noise, unless it is zero.
        storage: How keys and values are stored.
    """

    projections: Tensor | None  # (H, D, d)

    def __init__(
        self,
        layout: Layout,
        columns: int,
        generator: torch.Generator | None = None,
        *,
        sparse: bool = True,
        normal_values: bool = False,
        storage: Storage = STORAGE,
    ) -> None:
        super().__init__()
        heads, keys, size = layout.heads, layout.keys, layout.key_size
        self.layout = layout
        self.rows = heads * keys
        if layout.groups * self.rows > torch.iinfo(torch.int32).max:
            raise UserError(f"heads {heads} x keys {keys}: too many for the parametric decoder")
        drawn = torch.randn(heads, keys - storage.room, size, generator=generator)
        self.codebooks = Codebooks(drawn, storage.keys, storage.room)
        projections = None
        if layout.projection:
            projections = torch.randn(heads, layout.hidden_size, size, generator=generator) / size**0.5
        self.register_buffer("projections", projections)
        parametric = layout.decoder == "parametric"
        width = size if parametric else columns
        self.values = ValueTable(self.rows, width, sparse=sparse, stored=storage.rows, dtype=storage.values)
        if normal_values:
            nn.init.normal_(self.values.weight, generator=generator)
        inputs = layout.hidden_size if layout.segmentation == "token" else heads * size
        self.decoder = linear(inputs, columns, generator) if parametric else None
        self.dropout = nn.Dropout(DROPOUT)

    @property
    def keys(self) -> Tensor:
        """(H, K, d), as stored."""
        return self.codebooks.keys

    def address(self, *more: object) -> str:
        """A hash of the keys as they are now, and of ``more``."""
        digest = hashlib.blake2b(repr(more).encode())
        for tensor in (*self.codebooks.buffers(), self.projections):
            if tensor is not None:
                content = tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes()
                digest.update(repr(tuple(tensor.shape)).encode() + content)
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
        layout, books = self.layout, self.codebooks
        keys = books.read().to(states.device)
        found = []
        for head, asked in enumerate(layout.queries(states, lengths, self.projections)):
            if layout.segmentation == "token" and layout.pooling == "cls" and head:
                break  # the first token is in the first segment
            nearest = books.nearest(books.queries(head, asked.vectors), head, keys, layout.top_k)  # (n, k)
            rows = nearest + head * layout.keys
            group = asked.slot if layout.segmentation == "token" else torch.full_like(asked.slot, head)
            group = asked.text * layout.groups + (group if layout.groups > 1 else 0)
            found.append((group.unsqueeze(1) * self.rows + rows).flatten())
        # NumPy sorts integers with vector instructions, several times faster than torch.
        entries, counts = np.unique(torch.cat(found).numpy(), return_counts=True)
        text, entry = np.divmod(entries, layout.groups * self.rows)
        pairs = np.stack([entry, counts], axis=1, dtype=np.int32, casting="same_kind")
        return torch.from_numpy(pairs), torch.from_numpy(np.bincount(text, minlength=len(lengths)))

    def read(self, entries: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, C) from the output of ``select``: entries (E, 2), and how many each text has, (B,)."""
        groups = self.layout.groups
        row, count = (each.contiguous() for each in entries.unbind(1))  # (E,), (E,)
        sizes = lengths
        if groups > 1:
            bag = torch.arange(len(lengths), device=row.device).repeat_interleave(lengths)
            sizes = (bag * groups + row // self.rows).bincount(minlength=len(lengths) * groups)
            row = row % self.rows
        sums = self.values(row, sizes, count)
        ends = sizes.cumsum(0)
        so_far = F.pad(count.cumsum(0), (1, 0))
        total = (so_far[ends] - so_far[ends - sizes]).to(sums.dtype)
        means: Tensor = sums / total.unsqueeze(1).clamp(min=1)  # (B * G, V)
        if self.decoder is None:
            return means
        means = means.view(len(lengths), groups, -1)
        if self.layout.segmentation == "token":  # (B, D, T / H): positions within segments
            means = means.mean(2) if self.layout.pooling == "mean" else means[..., 0]
        logits: Tensor = self.decoder(self.dropout(means.flatten(1)))
        return logits


class KeyValueBottleneck(Bottleneck):
    """A classifier of token states: each head of a state selects its nearest key, logits are the mean value.

    It has a non-parametric decoder and needs nothing else of this package. Values start at zero and keys
    standard normal; set keys with ``keys.copy_`` or
    :class:`clbench.methods.dkvb.key_init.KeyInitialization`.

    Args:
        dim: D, the size of a token state; a multiple of ``heads``.
        heads: H, the slices of a token state.
        keys: K, per head.
        classes: C.
        generator: Draws the keys; None is the global one.
        sparse: Whether the gradient of the values has entries for selected rows only.

    Example:
        >>> bottleneck = KeyValueBottleneck(dim=8, heads=2, keys=16, classes=3)
        >>> states = torch.randn(5, 7, 8)  # 5 texts of 7 tokens
        >>> mask = torch.ones(5, 7, dtype=torch.bool)
        >>> bottleneck(states, mask).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        keys: int,
        classes: int,
        generator: torch.Generator | None = None,
        *,
        sparse: bool = False,
    ) -> None:
        counts = (heads, keys, 1, 0)  # one key per query, no projection
        # The longest text, 1 here, matters to segments of tokens only.
        layout = Layout("hidden", "mean", "after", "non-parametric", *counts, "masked", dim, 1)
        super().__init__(layout, classes, generator, sparse=sparse)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, C) of token states (B, T, D), of which those where ``mask`` (B, T) is true count."""
        entries, lengths = self.select(states[mask].detach().cpu(), mask.sum(1).cpu())
        return self.read(entries.to(states.device), lengths.to(states.device))


class BottleneckNetwork(Bottleneck, Network):
    """The network of a learner: ``select`` is its frozen prefix, so that training never sees a token state.

    Args:
        context: What the run provides.
        layout: Segmentation, pooling, decoder and sizes.
        sparse: Whether the gradient of the values has entries for selected rows only.
        normal_values: Whether values start standard normal.
        storage: How keys and values are stored.
    """

    def __init__(
        self,
        context: RunContext,
        layout: Layout,
        *,
        sparse: bool = True,
        normal_values: bool = False,
        storage: Storage = STORAGE,
    ) -> None:
        super().__init__(
            layout, context.columns, context.generator("network"),
            sparse=sparse, normal_values=normal_values, storage=storage,
        )  # fmt: skip
        self.row_shape = (layout.selections * layout.groups, (2,), torch.int32)

    @property
    def prefix(self) -> FrozenPrefix:
        """From the encoder's states to how often a text selects each key."""
        layout = sorted(dataclasses.asdict(self.layout).items())
        return FrozenPrefix(self.layout.prefix_pooling, self.select, f"selections-{self.address(layout)}")

    def selected(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The value rows that texts select, and how often: (E,) each, a row once per group of outputs."""
        entry, count = batch.rows.unbind(1)
        return entry % self.rows, count

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C) from ``batch.rows`` (E, 2), the output of the prefix."""
        return self.read(batch.rows, batch.lengths)
