"""Naive fine-tuning (NCL): train on each experience in turn and do nothing about forgetting.

With ``--tuning full`` all of the encoder trains: the usual lower bound. With ``--tuning frozen`` only the
output layer does: the linear probe on mean-pooled features. It carries its trainable parameters only.
"""

from __future__ import annotations

from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner


class Finetune(ContinualLearner):
    """The base class as it stands: cross-entropy on the current experience."""

    info = MethodInfo(family="naive")
