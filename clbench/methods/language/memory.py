"""A frozen language model and a memory, mixed: p = (1 - w) p_LM + w p_memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext
from clbench.models.language_network import LanguageNetwork

WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""The weights w of the memory that one is chosen from."""
HELD_OUT = 0.1
"""The share of an experience's training texts that it is chosen on, before they too are learned."""
LEAST = 1e-30
"""The least probability, whose logarithm is finite."""


class MemoryNetwork(LanguageNetwork):
    """The mixture. A memory defines ``observe``, ``evidence``, ``probability`` and ``probabilities``.

    Args:
        context: What the run provides.
        settings: The parameters of the memory that one is chosen from, such as temperatures.

    Attributes:
        scores: (S, W) log-likelihood of held-out texts by setting and weight, over the experiences so far.
    """

    scores: Tensor

    def __init__(self, context: RunContext, settings: tuple[float, ...]) -> None:
        super().__init__(context)
        self.settings = settings
        self.register_buffer("scores", torch.zeros(len(settings), len(WEIGHTS), dtype=torch.float64))

    def observe(self, rows: Tensor, generator: torch.Generator) -> None:
        """Adds predictions, rows of the prefix (M, ...), to the memory."""
        raise NotImplementedError

    def evidence(self, rows: Tensor) -> Any:
        """What the memory holds for rows of the prefix, or for states (M, D) alone."""
        raise NotImplementedError

    def probability(self, evidence: Any, tokens: Tensor, frozen: Tensor, setting: float) -> Tensor:
        """p_memory of tokens (M,), to which the frozen model gives the probabilities ``frozen`` (M,)."""
        raise NotImplementedError

    def probabilities(self, evidence: Any, frozen: Tensor, setting: float) -> Tensor:
        """p_memory of all tokens, (B, V), to which the frozen model gives ``frozen`` (B, V)."""
        raise NotImplementedError

    @property
    def empty(self) -> bool:
        """Whether nothing was learned yet: the network is then the frozen model."""
        return not self.scores.any()

    @property
    def chosen(self) -> tuple[float, float]:
        """The setting and the weight with the best log-likelihood so far."""
        setting, weight = divmod(int(self.scores.argmax()), len(WEIGHTS))
        return self.settings[setting], WEIGHTS[weight]

    def log_likelihoods(self, batch: Batch) -> Tensor:
        """Log of the mixture, (M,)."""
        if self.empty or not len(batch.rows):
            return batch.rows[:, -1]
        setting, weight = self.chosen
        frozen = batch.rows[:, -1].exp()
        found = self.probability(self.evidence(batch.rows), self.targets(batch), frozen, setting)
        return mixed(frozen, found, weight)

    def distribution(self, states: Tensor) -> Tensor:
        """Log of the mixture of all tokens, (B, V)."""
        frozen = super().distribution(states)
        if self.empty:
            return frozen
        setting, weight = self.chosen
        return mixed(frozen.exp(), self.probabilities(self.evidence(states), frozen.exp(), setting), weight)

    def judge(self, batch: Batch) -> None:
        """Adds the log-likelihood of a batch under each setting and weight to ``scores``."""
        frozen, tokens, evidence = batch.rows[:, -1].exp(), self.targets(batch), self.evidence(batch.rows)
        for place, setting in enumerate(self.settings):
            found = self.probability(evidence, tokens, frozen, setting)
            for column, weight in enumerate(WEIGHTS):
                self.scores[place, column] += mixed(frozen, found, weight).double().sum()


def mixed(frozen: Tensor, memory: Tensor, weight: float) -> Tensor:
    """log((1 - w) p_LM + w p_memory)."""
    return torch.lerp(frozen, memory, weight).clamp(min=LEAST).log()


class MemoryLearner(ContinualLearner):
    """Learns an experience in one pass, without a gradient.

    The setting and weight are those of the highest log-likelihood of held-out texts, summed over experiences.
    """

    info = MethodInfo(tunings=("frozen",), tasks=("language-model",), gradient_free=True)
    network: MemoryNetwork

    @torch.no_grad()
    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Observes all training texts but some, judges those, and observes them as well."""
        size = len(experience.splits["train"])
        batches = reader.batches(max(1, min(size - 1, round(HELD_OUT * size))))
        held = next(batches).to(self.device)
        for batch in batches:
            self.network.observe(batch.to(self.device).rows, self.generator)
        self.network.judge(held)
        self.network.observe(held.rows, self.generator)

    def diagnose(self, experience: Experience, reader: TextReader) -> dict[str, Any]:
        """The setting and weight in use."""
        setting, weight = self.network.chosen
        return {"setting": setting, "weight": weight}
