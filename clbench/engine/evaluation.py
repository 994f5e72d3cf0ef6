"""Evaluation: the predictions of a learner as confusion counts."""

from __future__ import annotations

import numpy as np
import torch

from clbench.core.batch import Batch
from clbench.data.batches import Batches
from clbench.methods.learner import ContinualLearner


@torch.no_grad()
def confusion(learner: ContinualLearner, batches: Batches) -> np.ndarray:
    """Counts (T, C, C) of the texts of each experience, rows true and columns predicted.

    Raises:
        FloatingPointError: A score is not a number, so that there is no prediction.
    """
    experiences, columns = learner.context.experiences, learner.context.columns
    learner.eval()
    cells = []
    for each in batches:
        batch: Batch = learner.on_after_batch_transfer(each.to(learner.device), 0)
        scores = learner.scores(batch)
        best, predicted = scores.max(1)
        if best.isnan().any():
            raise FloatingPointError("the learner's logits are not numbers; try a lower learning rate")
        cells.append((batch.experience * columns + batch.targets) * columns + predicted)
    shape = (experiences, columns, columns)
    return torch.cat(cells).bincount(minlength=int(np.prod(shape))).view(shape).cpu().numpy()
