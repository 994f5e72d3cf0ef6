"""The supervised contrastive loss, and attention between the features of experiences, of CLASSIC."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clbench.models.layers import linear


def supervised_contrastive(views: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """The mean over all V B vectors of -log(share of a positive), itself a mean over its positives.

    Khosla et al. 2020 (arXiv 2004.11362), eq. 2: positives of a vector are the other ones of its class.

    Args:
        views: V vectors of each of B texts, (V, B, D); they are normalized here.
        targets: Classes, (B,).
        temperature: Divides the cosines.
    """
    vectors = F.normalize(views.flatten(0, 1), dim=1)
    classes = targets.repeat(len(views))
    itself = torch.eye(len(classes), dtype=torch.bool, device=classes.device)
    logs = (vectors @ vectors.T / temperature).masked_fill(itself, -torch.inf).log_softmax(1)
    positive = (classes.unsqueeze(1) == classes) & ~itself  # the other view is one
    return -(logs.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()


class TaskAttention(nn.Module):
    """Self-attention between the features of experiences, with a residual weight that starts at 0.

    x + gamma V softmax(Q^T K)^T for x of shape (D, N), summed over its N columns.

    Args:
        experiences: N.
        generator: Draws the weights.
    """

    def __init__(self, experiences: int, generator: torch.Generator) -> None:
        super().__init__()
        self.query, self.key, self.value = (linear(experiences, experiences, generator) for _ in range(3))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Mixed features (B, D) of features (B, D, N)."""
        attention = (self.query(features).transpose(1, 2) @ self.key(features)).softmax(2)  # (B, N, N)
        mixed: Tensor = features + self.gamma * (self.value(features) @ attention.transpose(1, 2))
        return mixed.sum(2)
