"""Values behind frozen keys that are added to the state before the frozen output layer."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.methods.dkvb.values import ValueTable
from clbench.methods.language.keys import StateKeys
from clbench.models.causal_lm import EXTRA
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix
from clbench.models.language_network import LanguageNetwork


class ValueMemory(LanguageNetwork):
    """logits = output(h + sum of the values of the keys that the heads of h select).

    Values start at zero: the network is then the language model.

    Args:
        context: What the run provides.
        heads: H.
        keys: K, per head.
    """

    def __init__(self, context: RunContext, heads: int, keys: int) -> None:
        super().__init__(context)
        size = self.source.hidden_size
        self.keys = StateKeys(size, heads, keys)
        self.values = ValueTable(self.keys.rows, size, sparse=True)
        self.row_shape = (max(1, context.max_tokens - 1), (size + heads + EXTRA,), torch.float32)

    @property
    def prefix(self) -> FrozenPrefix:
        """From predictions to the state, the keys that it selects, the next token and its log-probability."""
        return FrozenPrefix("predictions", self._selected, f"lm-values-{self.keys.address()}")

    def _selected(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        states = rows[:, : self.source.hidden_size]
        return torch.cat([states, self.keys.select(states).float(), rows[:, -EXTRA:]], 1), lengths

    def selected(self, batch: Batch) -> Tensor:
        """The value rows (M, H) that each prediction reads, int32."""
        return batch.rows[:, self.source.hidden_size : -EXTRA].int()

    def states(self, batch: Batch) -> Tensor:
        """The states with their values."""
        return super().states(batch) + self._read(self.selected(batch))

    def distribution(self, states: Tensor) -> Tensor:
        """Log p of all tokens, (B, V), of frozen states (B, D)."""
        return super().distribution(states + self._read(self.keys.select(states).int()))

    def _read(self, rows: Tensor) -> Tensor:
        sizes = torch.full((len(rows),), rows.shape[1], dtype=torch.int64, device=rows.device)
        flat = rows.flatten()
        sums: Tensor = self.values(flat, sizes, torch.ones_like(flat))
        return sums
