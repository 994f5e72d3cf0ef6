"""Naive fine-tuning (NCL): train on each experience in turn, with no measure against forgetting.

With ``--tuning full`` all of the encoder trains: the usual lower bound. With ``--tuning frozen`` only the
output layer does: the linear probe on pooled features, or that of a language model. Carried: the trainable
parameters.
"""

from __future__ import annotations

from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner


class Finetune(ContinualLearner):
    """Cross-entropy on the current experience: the base class without overrides."""

    info = MethodInfo(
        name="Fine-tuning",
        summary="naive fine-tuning: no measure against forgetting",
        cost="one forward and backward pass per step",
        family="naive",
        tasks=("classification", "language-model"),
    )
