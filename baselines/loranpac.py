"""Low-rank random features (LoRanPAC; Peng et al. 2025, arXiv 2410.00645).

Frozen mean features f become h = relu(f W), W fixed and normal. Of the matrix of all texts seen, H^T = (h_1,
h_2, ...), a truncated singular value decomposition U S is kept. New texts X enter by X' = U^T X^T, the QR
decomposition Q R of X^T - U X', and the decomposition of [[S, X'], [0, R]], which turns (U, Q). Of its
singular values the largest 75 % of the number of texts stay (their algorithm 1). The logits are V h, V = (U
S^-2 U^T Q)^T with Q = sum h y^T: the least squares solution without the directions that were cut off, and
without a ridge.

Carried: W, U, S, Q and V. Costs one pass over the texts, no gradient, and a QR and a singular value
decomposition for each 500 texts of an experience. Deviations: M is 5,000 where the paper has 100,000, and the
rank at most 1,000 where it has 10,000, for the time of these; the encoder is not tuned first.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from clbench.core.ranges import HeldOut, Size
from clbench.methods.prototypes import sums_by_class
from clbench.methods.random_features import RandomFeatureLearner
from clbench.models.context import RunContext

TINY = 1e-10  # singular values below this share of the largest one are rounding errors


class LoRanPAC(RandomFeatureLearner):
    """Low-rank random features.

    Args:
        context: What the run provides.
        dimensions: M, the number of random features.
        rank: Most singular values that are kept.
        truncation: The share of the number of texts by which singular values are fewer.
    """

    info = dataclasses.replace(
        RandomFeatureLearner.info,
        summary="least squares on random features of truncated rank",
        cost="one pass, a singular value decomposition per 500 texts",
        paper="Peng et al. 2025, arXiv 2410.00645",
        bibtex=("peng2025loranpac",),
        search={"truncation": (0.05, 0.9)},
        deviations=("the encoder is not tuned on the first experience",),
    )

    read_at_once = 500
    basis: Tensor  # U, (M, rank); columns that are not in use are zero
    singular: Tensor  # S, (rank,), likewise
    targets: Tensor  # Q^T, (C, M)

    def __init__(
        self, context: RunContext, dimensions: Size = 5000, rank: Size = 1000, truncation: HeldOut = 0.25
    ) -> None:
        super().__init__(context, dimensions)
        paper = {f"{dimensions:,} random features": 100_000, f"rank {rank:,}": 10_000}
        sizes = zip(paper, (dimensions, rank), strict=True)
        few = (f"{ours} where the paper takes {paper[ours]:,}" for ours, size in sizes if size != paper[ours])
        self.info = dataclasses.replace(self.info, deviations=(*few, *self.info.deviations))
        self.truncation = truncation
        self.register_zeros("basis", dimensions, rank)
        self.register_zeros("singular", rank)
        self.register_zeros("targets", context.columns, dimensions)

    def observe(self, features: Tensor, targets: Tensor) -> None:
        """Takes the texts into the decomposition, and cuts it off."""
        projected = self.project(features)
        self.targets += sums_by_class(projected, targets, len(self.targets))
        used = int((self.singular > 0).sum())
        old, values = self.basis[:, :used], self.singular[:used]
        inside = old.T @ projected.T  # (used, n)
        outside, rest = torch.linalg.qr(projected.T - old @ inside)
        lower = torch.cat([rest.new_zeros(len(rest), used), rest], 1)
        both = torch.cat([torch.cat([values.diag(), inside], 1), lower])
        turns, found, _ = torch.linalg.svd(both, full_matrices=False)
        kept = min(round(float(self.counts.sum()) * (1 - self.truncation)), len(self.singular))
        kept = min(kept, int((found > TINY * found[0]).sum()))
        turned = torch.linalg.qr(torch.cat([old, outside], 1) @ turns[:, :kept])[0]  # against rounding
        self.basis.zero_()[:, :kept] = turned
        self.singular.zero_()[:kept] = found[:kept]

    def consolidate(self) -> None:
        """Solves the least squares problem."""
        used = self.singular > 0
        basis = self.basis[:, used]
        self.weight.copy_((self.targets @ basis / self.singular[used].square()) @ basis.T)
