"""The discrete key-value bottleneck as values that correct the states of a frozen language model.

Each state h selects the nearest of K frozen keys per head (arXiv 2412.08528); their values, zero at first,
are added to h before the frozen output layer, and learn by cross-entropy. No paper has it. With ``top_rows``
only the value rows of the highest TF-IDF of a batch learn (Lin et al. 2025, arXiv 2510.15103):
tf = c_i / sum c, idf = log((|B| + 1) / (df_i + 1)) against generic texts B.

Carried: H x K x D / H keys and H x K x D values. Cost: a step computes the output layer, there and back.
"""

from __future__ import annotations

import dataclasses

import torch

from clbench.core.batch import Batch
from clbench.core.ranges import Amount, Count, Size
from clbench.methods.dkvb.optimizers import RowAdagrad, RowOptimizer, RowSGD
from clbench.methods.dkvb.row_mask import RowMask
from clbench.methods.info import MethodInfo
from clbench.methods.language.keys import READS, KeyTexts
from clbench.methods.language.values import ValueMemory
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext

SGD_SCALE = 200.0
"""Plain SGD takes this times the learning rate: it does not divide by the size of gradients, as Adagrad."""


class DKVBValues(ContinualLearner):
    """DKVB with values added to states.

    Args:
        context: What the run provides.
        heads: H, slices of a state.
        keys: K, per head.
        top_rows: Value rows that a step may change, by TF-IDF, with plain SGD; 0: all selected, with Adagrad.
        initialization: Keys are averages of states of generic text, or of all experiences (``oracle``).
        init_epochs: Passes over those texts.
        init_texts: Most texts to make keys from, and TF-IDF's background.
    """

    info = MethodInfo(
        name="DKVB values",
        summary="values behind frozen keys, added to the states of a language model",
        cost="a step computes the output layer, there and back",
        paper="Diera et al. 2024, arXiv 2412.08528",
        bibtex=("diera2024dkvb", "lin2025sparsememory"),
        family="bottleneck",
        tunings=("frozen",),
        tasks=("language-model",),
        default_lr={"frozen": 0.02},
        memory={"network.keys": "keys", "network.values": "values"},
        reads_at_start="generic",
        deviations=("values are added to states of a language model: the paper has none",),
    )
    network: ValueMemory

    def __init__(
        self,
        context: RunContext,
        heads: Size = 4,
        keys: Size = 256,
        top_rows: Amount = 0,
        initialization: KeyTexts = "generic",
        init_epochs: Amount = 1,
        init_texts: Count = 500,
    ) -> None:
        super().__init__(context, ValueMemory(context, heads, keys))
        self.info = dataclasses.replace(self.info, reads_at_start=READS[initialization])
        self.init_epochs, self.init_texts = init_epochs, init_texts
        self.mask = RowMask(self.network.keys.rows, top_rows) if top_rows else None
        self.chosen = torch.zeros(0)  # the rows that the current step trains

    @torch.no_grad()
    def begin_stream(self, reader: TextReader) -> None:
        """Makes the keys, and counts which of them the background selects."""
        network = self.network
        network.keys.fit(reader, self.generator, self.init_epochs, self.init_texts)
        if self.mask is not None:
            for text in reader.batches(1, prefix=network.prefix, limit=self.init_texts):
                rows = network.selected(text.to(self.device)).flatten()
                self.mask.remember(rows, torch.tensor([len(rows)], device=rows.device))

    def configure_optimizers(self) -> RowOptimizer:
        """A new optimizer for each experience; rows that nothing selects never move."""
        values = [self.network.values.weight]
        return RowAdagrad(values, self.lr) if self.mask is None else RowSGD(values, SGD_SCALE * self.lr)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Chooses the rows that the step may change."""
        if self.mask is not None:
            rows = self.network.selected(batch).flatten()
            self.chosen = self.mask.choose(rows, torch.ones_like(rows))

    def on_after_backward(self) -> None:
        """Takes the gradient off all other rows."""
        if self.mask is not None:
            self.mask.restrict(self.network.values.weight, self.chosen)
