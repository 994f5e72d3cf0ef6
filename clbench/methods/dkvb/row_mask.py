"""Which value rows a training step may change: those that matter to the batch and to little else."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowMask(nn.Module):
    """Keeps the gradient of the value rows of highest TF-IDF in the batch (sparse memory fine-tuning).

    Lin et al. 2025, arXiv 2510.15103, section 3.2, for values behind keys: the score of row i is
    c_i / sum_j c_j * log((B + 1) / (b_i + 1)), with c_i how often the batch selects it, and b_i how many of B
    background texts do. Of equal scores, those that the batch selects more often come first, then those of
    lower number: without a background, all scores are 0. Rows that the batch does not select have no
    gradient, and are not chosen.

    Args:
        rows: R, the number of value rows.
        kept: Most rows that a step changes.

    Attributes:
        texts_with: B_i, (R,).
        texts: B, ().
    """

    texts_with: Tensor
    texts: Tensor

    def __init__(self, rows: int, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.register_buffer("texts_with", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("texts", torch.zeros((), dtype=torch.int64))

    def choose(self, rows: Tensor, counts: Tensor) -> Tensor:
        """The rows that a step may change, ascending.

        Args:
            rows: (E,) what the texts of a batch select; a row may come more than once.
            counts: (E,) how often each entry counts.
        """
        distinct, place = rows.unique(return_inverse=True)
        total = torch.zeros(len(distinct), device=rows.device).index_add_(0, place, counts.float())
        scores = self.scores(distinct, total)
        order = total.argsort(stable=True, descending=True)
        order = order[scores[order].argsort(stable=True, descending=True)]
        chosen: Tensor = distinct[order[: self.kept]].sort().values.long()
        return chosen

    def scores(self, rows: Tensor, counts: Tensor) -> Tensor:
        """TF-IDF (E,) of different rows (E,) that a batch selects so often (E,)."""
        rarity = ((self.texts + 1) / (self.texts_with[rows.long()] + 1)).log()
        return counts / counts.sum() * rarity

    def restrict(self, weight: nn.Parameter, chosen: Tensor) -> None:
        """Takes all other rows out of a sparse gradient."""
        gradient = weight.grad
        assert gradient is not None
        gradient = gradient.coalesce()
        rows = gradient.indices()[0]
        kept = torch.isin(rows, chosen)
        weight.grad = torch.sparse_coo_tensor(
            rows[kept].unsqueeze(0), gradient.values()[kept], gradient.shape, is_coalesced=True
        )

    def remember(self, rows: Tensor, lengths: Tensor) -> None:
        """Adds texts to the background.

        Args:
            rows: (E,) what B texts select, one text after the other.
            lengths: (B,) how many entries each text has.
        """
        text = torch.arange(len(lengths), device=rows.device).repeat_interleave(lengths)
        pairs = torch.stack([text, rows.long()]).unique(dim=1)  # a text counts once for a row
        self.texts_with += torch.bincount(pairs[1], minlength=len(self.texts_with))
        self.texts += len(lengths)
