"""The discrete key-value bottleneck as next-token counts of a frozen language model.

Each state selects the nearest of K frozen keys (arXiv 2412.08528); behind a key stand the counts n_kw of the
tokens w that followed. p_k(w) = (n_kw + a p_LM(w)) / (n_k + a), mixed with p_LM. No paper has it: keys and
their initialization are the paper's. Learning is counting: it does not depend on the order of the texts.

Carried: H x K x D / H keys, and 12 bytes per counted pair. Cost: keys are found once per token.
"""

from __future__ import annotations

import dataclasses

import torch

from clbench.core.ranges import Amount, Capacity, Count, Size
from clbench.methods.language.counts import CountMemory
from clbench.methods.language.keys import READS, KeyTexts
from clbench.methods.language.memory import MemoryLearner
from clbench.methods.learner import TextReader
from clbench.models.context import RunContext


class DKVBCounts(MemoryLearner):
    """DKVB with counts.

    Args:
        context: What the run provides.
        heads: H, slices of a state.
        keys: K, per head.
        capacity: Pairs of a key and a token that are counted.
        initialization: Keys are averages of states of generic text, or of all experiences (``oracle``).
        init_epochs: Passes over those texts.
        init_texts: Most texts to make keys from.
    """

    info = dataclasses.replace(
        MemoryLearner.info,
        name="DKVB counts",
        summary="counts of next tokens behind frozen keys, mixed with a language model",
        cost="one pass; keys once per token",
        paper="Diera et al. 2024, arXiv 2412.08528",
        bibtex=("diera2024dkvb",),
        family="bottleneck",
        memory={"network.keys": "keys", "network.table": "values", "network.scores": "statistics"},
        search={"keys": (64, 4096)},
        reads_at_start="generic",
        deviations=("values are next-token counts: the paper has no language model",),
    )
    network: CountMemory

    def __init__(
        self,
        context: RunContext,
        heads: Size = 4,
        keys: Size = 256,
        capacity: Capacity = 131072,
        initialization: KeyTexts = "generic",
        init_epochs: Amount = 1,
        init_texts: Count = 500,
    ) -> None:
        super().__init__(context, CountMemory(context, heads, keys, capacity))
        self.info = dataclasses.replace(self.info, reads_at_start=READS[initialization])
        self.init_epochs, self.init_texts = init_epochs, init_texts

    @torch.no_grad()
    def begin_stream(self, reader: TextReader) -> None:
        """Makes the keys."""
        self.network.keys.fit(reader, self.generator, self.init_epochs, self.init_texts)
