"""Next-token counts behind frozen keys: DKVB as a memory of a language model that needs no gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.methods.language.keys import StateKeys
from clbench.methods.language.memory import MemoryNetwork
from clbench.models.causal_lm import EXTRA
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix

PRIORS = (1.0, 4.0, 16.0, 64.0, 256.0)
"""The weights of the frozen model beside the counts of a key that one is chosen from."""


class CountTable(nn.Module):
    """A sparse table of counts (R, V) in buffers of fixed shape: its entries, sorted.

    Once more different entries come than it holds, those of the lowest counts are left out, and of equal ones
    those of the highest code: up to then it does not depend on the order of what was added.

    Args:
        capacity: Entries.
        rows: R.
        columns: V.

    Attributes:
        codes: (capacity,) ``row * V + column``, ascending; the largest number where there is no entry.
        counts: (capacity,) their counts.
        totals: (R,) the counts of a row, added up.
    """

    codes: Tensor
    counts: Tensor
    totals: Tensor
    NONE = torch.iinfo(torch.int64).max

    def __init__(self, capacity: int, rows: int, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.register_buffer("codes", torch.full((capacity,), self.NONE))
        self.register_buffer("counts", torch.zeros(capacity, dtype=torch.int32))
        self.register_buffer("totals", torch.zeros(rows, dtype=torch.int32))

    def add(self, rows: Tensor, columns: Tensor) -> None:
        """Counts each pair (n,) of a row and a column once."""
        new = torch.cat([self.codes, rows * self.columns + columns])
        once = torch.cat([self.counts, torch.ones_like(rows, dtype=torch.int32)])
        codes, place = new.unique(return_inverse=True)  # ascending
        counts = torch.zeros_like(codes, dtype=torch.int32).index_add_(0, place, once)
        if codes[-1] == self.NONE:
            codes, counts = codes[:-1], counts[:-1]
        kept = counts.argsort(descending=True, stable=True)[: len(self.codes)].sort().values
        codes, counts = codes[kept], counts[kept]
        self.codes.fill_(self.NONE)[: len(codes)] = codes
        self.counts.zero_()[: len(codes)] = counts
        self.totals.zero_().index_add_(0, codes // self.columns, counts)

    def at(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The counts of pairs, in their shape."""
        wanted = rows * self.columns + columns
        place = torch.searchsorted(self.codes, wanted).clamp(max=len(self.codes) - 1)
        return torch.where(self.codes[place] == wanted, self.counts[place], 0)

    def row(self, row: int) -> Tensor:
        """The counts (V,) of a row."""
        ends = torch.tensor([row * self.columns, (row + 1) * self.columns], device=self.codes.device)
        first, last = torch.searchsorted(self.codes, ends).tolist()
        found = self.counts.new_zeros(self.columns)
        found[self.codes[first:last] - row * self.columns] = self.counts[first:last]
        return found


class CountMemory(MemoryNetwork):
    """p_k(w) = (n_kw + a p_LM(w)) / (n_k + a), the mean over the keys k that the heads of a state select.

    Args:
        context: What the run provides.
        heads: H.
        keys: K, per head.
        capacity: Entries of the table.
    """

    def __init__(self, context: RunContext, heads: int, keys: int, capacity: int) -> None:
        super().__init__(context, PRIORS)
        self.keys = StateKeys(self.source.hidden_size, heads, keys)
        self.table = CountTable(capacity, self.keys.rows, self.source.vocabulary)
        self.row_shape = (max(1, context.max_tokens - 1), (heads + EXTRA,), torch.float32)

    @property
    def prefix(self) -> FrozenPrefix:
        """From predictions to the keys that each selects, the next token and its log-probability."""
        return FrozenPrefix("predictions", self._selected, f"lm-counts-{self.keys.address()}")

    def _selected(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.keys.select(rows[:, : self.source.hidden_size])
        return torch.cat([keys.float(), rows[:, -EXTRA:]], 1), lengths  # a number below 2^24 is exact

    def observe(self, rows: Tensor, generator: torch.Generator) -> None:
        """Counts the next token behind the key of each head."""
        keys = rows[:, :-EXTRA].long()
        self.table.add(keys.flatten(), rows[:, -2].long().repeat_interleave(keys.shape[1]))

    def evidence(self, rows: Tensor) -> Tensor:
        """The selected keys (M, H)."""
        states = rows.shape[1] == self.source.hidden_size
        return self.keys.select(rows) if states else rows[:, :-EXTRA].long()

    def probability(self, evidence: Tensor, tokens: Tensor, frozen: Tensor, setting: float) -> Tensor:
        """See the class."""
        counts = self.table.at(evidence, tokens.unsqueeze(1))  # (M, H)
        found = (counts + setting * frozen.unsqueeze(1)) / (self.table.totals[evidence] + setting)
        return found.mean(1)

    def probabilities(self, evidence: Tensor, frozen: Tensor, setting: float) -> Tensor:
        """See the class."""
        found = torch.zeros_like(frozen)
        for place, keys in enumerate(evidence.tolist()):
            for key in keys:
                total = self.table.totals[key] + setting
                found[place] += (self.table.row(key) + setting * frozen[place]) / total / len(keys)
        return found
