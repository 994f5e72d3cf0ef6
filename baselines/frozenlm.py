"""The frozen language model: it learns nothing and forgets nothing. Carried: nothing."""

from __future__ import annotations

from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.models.language_network import FrozenLanguageModel


class FrozenLM(ContinualLearner):
    """The pretrained model as it is, the reference of all others.

    Args:
        context: What the run provides.
    """

    info = MethodInfo(
        name="Frozen LM",
        summary="the pretrained language model as it is: the reference of the others",
        cost="nothing is learned",
        family="naive",
        tunings=("frozen",),
        tasks=("language-model",),
        gradient_free=True,
    )

    def __init__(self, context: RunContext) -> None:
        super().__init__(context, FrozenLanguageModel(context))
