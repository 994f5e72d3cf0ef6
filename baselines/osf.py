"""Orthogonal subspace fine-tuning (OSF; Nayak et al. 2025, arXiv 2504.07097).

Each weight of the encoder's linear layers is split by its singular values, W = U_h S_h V_h + U_l S_l V_l. The
part of the large ones is kept; U_l, S_l and V_l train, within what is orthogonal to U_h and V_h, so that
U_h^T W and W V_h^T do not change while an experience is learned. At its end, W is split anew.

peft's tuner ``osf`` can be put into an encoder such as BERT, but it keeps the frozen bases outside of the
state that is saved, does not split again once updates are merged, and projects gradients, which Adam rescales
(on ``tiny``, after ten steps of AdamW at 0.01, the overlap with U_h was 0.03). Here U_l and V_l are projected
after each step.

Carried: two to three times the weights of the linear layers. A step multiplies U_l S_l V_l out, a boundary
takes a singular value decomposition per layer. Deviation: the same share is kept in all layers and
experiences, where the authors choose it by the importance of a layer.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from clbench.core.batch import Batch
from clbench.core.ranges import Ratio
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext
from clbench.models.split_weights import SplitLinear, split_linear_layers


class OSF(ContinualLearner):
    """Orthogonal subspace fine-tuning.

    Args:
        context: What the run provides.
        share: The share of singular values that is kept, of each weight.
    """

    info = MethodInfo(
        summary="weights train in the directions of their small singular values",
        cost="a product per weight and step; a decomposition per weight at each boundary",
        paper="Nayak et al. 2025, arXiv 2504.07097",
        bibtex=("nayak2025osf",),
        family="projections and masks",
        tunings=("full",),
        default_lr={"full": 3e-4},
        deviations=("the same share of singular values is kept in all layers and experiences",),
    )

    def __init__(self, context: RunContext, share: Ratio = 0.5) -> None:
        network = TextClassifier(context, lambda model, *_: split_linear_layers(model, share))
        super().__init__(context, network)
        self.layers = {name: each for name, each in self.named_modules() if isinstance(each, SplitLinear)}
        self.info = dataclasses.replace(self.info, memory={f"{name}.": "weights" for name in self.layers})

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keeps updates off the directions that are kept."""
        for each in self.layers.values():
            each.protect()

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Splits the weights anew."""
        for each in self.layers.values():
            each.split(each.weight)
