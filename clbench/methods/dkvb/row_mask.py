"""Which value rows a training step may change: those that matter to the batch and to little else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.core.batch import Batch


class RowMask(nn.Module):
    """Keeps the gradient of the value rows of highest TF-IDF in the batch (sparse memory fine-tuning).

    Lin et al. 2025, arXiv 2510.15103, section 3.2, for the values of a bottleneck: the score of row i is
    c_i / sum_j c_j * log((B + 1) / (b_i + 1)), with c_i how often the batch selects it, and b_i how many of B
    background texts do. The background is the training texts of earlier experiences, where the paper has
    batches of pretraining text: what they select is what is to be kept. Rows that none of them selects come
    first, and in the first experience all rows score 0 but for c_i.

    Args:
        rows: H x K, the number of value rows.
        kept: Most rows that a step changes.

    Attributes:
        texts_with: B_i, (rows,).
        texts: B, ().
    """

    texts_with: Tensor
    texts: Tensor

    def __init__(self, rows: int, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.register_buffer("texts_with", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("texts", torch.zeros((), dtype=torch.int64))

    def choose(self, batch: Batch) -> Tensor:
        """The rows that a step may change, ascending; ``batch`` is the output of ``Bottleneck.select``."""
        rows, place = (batch.rows[:, 0] % len(self.texts_with)).unique(return_inverse=True)
        counts = torch.zeros(len(rows), device=rows.device).index_add_(0, place, batch.rows[:, 1].float())
        scores = counts / counts.sum() * self.rarity(rows)
        # Among equal scores, those that the batch selects more often: without a background all are equal.
        order = counts.argsort(stable=True, descending=True)
        order = order[scores[order].argsort(stable=True, descending=True)]
        chosen: Tensor = rows[order[: self.kept]].sort().values.long()
        return chosen

    def rarity(self, rows: Tensor) -> Tensor:
        """The inverse document frequency of rows: log((B + 1) / (b_i + 1))."""
        found: Tensor = ((self.texts + 1) / (self.texts_with[rows.long()] + 1)).log()
        return found

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

    def remember(self, batch: Batch) -> None:
        """Adds texts to the background."""
        text = torch.arange(len(batch), device=batch.rows.device).repeat_interleave(batch.lengths)
        rows = batch.rows[:, 0] % len(self.texts_with)
        pairs = torch.stack([text, rows.long()]).unique(dim=1)  # a text counts once, whatever its segments
        self.texts_with += torch.bincount(pairs[1], minlength=len(self.texts_with))
        self.texts += len(batch)
