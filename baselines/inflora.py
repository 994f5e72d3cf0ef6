"""Interference-free low-rank adaptation (InfLoRA; Liang and Li 2024, arXiv 2404.00228).

Each experience adds B_t A_t to the weights of the key and value projections. A_t is designed before training
and frozen: with C = sum x x^T over the projection's inputs x on the experience's texts and P the projector
onto directions of earlier inputs, A_t holds the r leading left singular vectors of (I - P) C, divided by
sqrt(3). What B_t learns then acts in directions of the new texts that earlier ones hardly use. B_t starts at
zero and trains, with the output columns of the experience. After it, left singular vectors of (I - P) C, with
C of the trained model, join P until the share of C's energy (squared singular values) in P reaches
epsilon + (1 - epsilon) (t - 1) / T.

Carried: T pairs per projection, and a D x D matrix P per attention layer. A boundary costs two passes over
the texts and two D x D decompositions per layer. P is kept whole, where the authors keep a basis of it or,
once that is smaller, of its complement: the same projection.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from clbench.core.ranges import Ratio
from clbench.core.scenario import Experience
from clbench.methods.info import MethodInfo
from clbench.methods.learner import TextReader
from clbench.methods.own_columns import OwnColumnsLearner
from clbench.methods.penalties import WeightStore
from clbench.methods.projections import input_moments
from clbench.methods.subspaces import directions_to_take, free_directions
from clbench.models.attention import key_value_targets
from clbench.models.context import RunContext
from clbench.models.low_rank import LowRankClassifier


class InfLoRA(OwnColumnsLearner):
    """Interference-free low-rank adaptation; the rank r is ``--lora-rank``.

    Args:
        context: What the run provides.
        epsilon: The share of the energy of inputs that is protected, in the first experience.
    """

    info = MethodInfo(
        summary="a low-rank update per experience, off the directions of earlier inputs",
        cost="two passes and decompositions per layer at each boundary",
        paper="Liang and Li 2024, arXiv 2404.00228",
        bibtex=("liang2024inflora",),
        family="projections and masks",
        tunings=("lora",),
        default_lr={"lora": 3e-3},
        memory={"network.added.": "weights", "projectors.": "statistics"},
        deviations=("rank 8 by default, where the authors take 10",),
    )

    network: LowRankClassifier

    def __init__(self, context: RunContext, epsilon: Ratio = 0.95) -> None:
        super().__init__(context, LowRankClassifier(context, key_value_targets))
        self.epsilon = epsilon
        self.layers: dict[str, nn.Linear] = {}  # one per module of attention: they read the same inputs
        projectors = {}
        for name, each in self.network.sums.items():
            each.a.requires_grad_(False)
            self.layers[module_of(name)] = cast(nn.Linear, self.network.encoder.get_submodule(name))
            projectors[module_of(name)] = torch.zeros(2 * each.a.shape[1:], dtype=torch.float64)
        self.projectors = WeightStore(projectors)

    def moments(self, reader: TextReader) -> dict[str, Tensor]:
        """C of each module, without the constant input that a bias is."""
        sizes = {place: len(self.projectors[place]) for place in self.layers}
        found = input_moments(self, reader, self.layers)
        return {place: each[: sizes[place], : sizes[place]] for place, each in found.items()}

    @torch.no_grad()
    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Designs A."""
        super().begin_experience(experience, reader)
        moments = self.moments(reader)
        free = {place: free_directions(self.projectors[place], each)[0] for place, each in moments.items()}
        for name, each in self.network.sums.items():
            each.a.copy_(free[module_of(name)][:, : each.rank].T / 3**0.5)

    @torch.no_grad()
    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Extends P, and freezes B."""
        share = self.epsilon + (1 - self.epsilon) * experience.index / self.context.experiences
        for place, moments in self.moments(reader).items():
            taken = directions_to_take(self.projectors[place], moments, share)
            self.projectors[place].add_(taken @ taken.T)
        for each in self.network.sums.values():
            each.keep(experience.index)


def module_of(name: str) -> str:
    """The module that a layer is in."""
    return name.rpartition(".")[0]
