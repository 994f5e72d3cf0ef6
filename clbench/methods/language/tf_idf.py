"""Which rows of a memory a step may change: those of highest TF-IDF (Lin et al. 2025, arXiv 2510.15103)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowMask(nn.Module):
    """tf_i = c_i / sum c over the selections of a batch, idf_i = log((|B| + 1) / (df_i + 1)).

    Args:
        rows: R.
        top: How many rows a step may change.

    Attributes:
        texts: |B|, background texts.
        frequency: (R,) df, in how many of them each row is selected.
    """

    texts: Tensor
    frequency: Tensor

    def __init__(self, rows: int, top: int) -> None:
        super().__init__()
        self.top = top
        self.register_buffer("texts", torch.zeros((), dtype=torch.int64))
        self.register_buffer("frequency", torch.zeros(rows, dtype=torch.int64))
        self._allowed = torch.ones(rows, dtype=torch.bool)

    def add_background(self, rows: Tensor) -> None:
        """Counts the rows of one background text, each once."""
        self.frequency[rows.long()] += 1
        self.texts += 1

    def scores(self, selected: Tensor) -> Tensor:
        """TF-IDF (R,) of the rows that a batch selects, in any shape."""
        counts = selected.flatten().long().bincount(minlength=len(self.frequency)).double()
        return counts / counts.sum().clamp(min=1) * ((self.texts + 1) / (self.frequency + 1.0)).log()

    def choose(self, selected: Tensor) -> None:
        """Takes the rows of a batch; of equal scores those of lower numbers."""
        order = self.scores(selected).argsort(descending=True, stable=True)
        self._allowed = torch.zeros_like(self.frequency, dtype=torch.bool)
        self._allowed[order[: self.top]] = True

    def restrict(self, weight: Tensor) -> None:
        """Removes all other rows from a sparse gradient."""
        gradient = weight.grad
        if gradient is None:
            return
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        kept = self._allowed[rows]
        weight.grad = torch.sparse_coo_tensor(
            rows[kept].unsqueeze(0), values[kept], weight.shape, is_coalesced=True, check_invariants=False
        )
