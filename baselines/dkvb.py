"""The discrete key-value bottleneck for text (DKVB, arXiv 2412.08528; Traeuble et al., arXiv 2207.11240).

The token states of a frozen encoder are cut into H heads; in each, a token picks the nearest of K keys. Keys
are moving averages of token states and then frozen; only the values behind the selected keys learn. With the
non-parametric decoder a value has one entry per output column, and the logits are the mean of all selected
values over tokens and heads. Values that a text does not select do not change at all.

Carried: H x K x d keys and H x K x C values. Cost: keys are found once per text, then rows are looked up.
Deviations from the public code, each of which has its option ``reference``: padding has no weight; keys move
to the mean of their queries, not their sum, and start at token states; values train by plain SGD on the
selected rows, which has no state, so that one optimizer per experience and one for the stream are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from clbench.core.scenario import Experience
from clbench.core.types import Tuning
from clbench.methods.dkvb.bottleneck import KeyValueBottleneck
from clbench.methods.dkvb.codebook import Update
from clbench.methods.dkvb.diagnostics import KeyDiagnostics
from clbench.methods.dkvb.key_init import KeyInitialization, Start
from clbench.methods.dkvb.layout import Decoder, Layout, Segmentation
from clbench.methods.dkvb.optimizers import KeptMoments, RowSGD
from clbench.methods.learner import ContinualLearner, MemoryKind, TextReader
from clbench.models.context import RunContext

HEAD_SIZE = 12
LR = {"sparse": 0.1, "reference": 0.01}
DECODER_LR = {"sparse": 0.1, "reference": 1e-3}
EPOCHS = {"oracle": 3, "incremental": 3, "generic": 1, "random": 0}
READS = {"oracle": "stream", "incremental": None, "generic": "generic", "random": "generic"}


class DKVB(ContinualLearner):
    """Discrete key-value bottleneck; see ``clbench.methods.dkvb.layout.Layout`` for the first arguments.

    Args:
        context: What the run provides. Its learning rate is that of values. For ``sparse`` it is the most
            that a selection in one text of full length moves a value: the gradient of a mean over n
            selections is multiplied by the largest n. None takes 0.1, and 0.01 for ``reference``.
        heads: H; None takes heads of 12 dimensions, as the paper's single-head code does.
        keys: K, per head.
        segmentation: Cut hidden vectors into heads, or token positions into segments.
        pooling: Mean or CLS.
        place: Pool before or after the bottleneck.
        decoder: Mean of values, or a linear layer on values.
        top_k: Keys per query.
        projection: Dimensions of a random projection per head; 0: heads are slices.
        padding: Masked, or counted as in the public code (``reference``).
        initialization: Keys are averages of the training texts of all experiences (``oracle``: sees the
            future), of each experience before it is learned (``incremental``), of text of no experience
            (``generic``), or are states of random tokens of such text (``random``).
        init_epochs: Passes over those texts; None is the paper's: 3, but 1 for generic and 0 for random.
        init_batch_size: Texts per step of the moving average.
        decay: Its step.
        update: To the mean of the queries of a key, or their sum (``reference``).
        start: Keys start at random token states, or standard normal (``reference``).
        optimizer: SGD on the selected values, or dense AdamW (``reference``), which moves all of them.
        lifetime: A fresh optimizer per experience, or one for the stream (``reference``).
        decoder_lr: Learning rate of the linear layer; None takes 0.1, and 0.001 for ``reference``.
    """

    tunings: ClassVar[tuple[Tuning, ...]] = ("frozen",)
    default_lr: ClassVar[Mapping[Tuning, float]] = {"frozen": LR["sparse"]}
    memory: ClassVar[Mapping[str, MemoryKind]] = {
        "network.keys": "keys", "network.projections": "keys", "network.values": "values",
    }  # fmt: skip
    in_variant: ClassVar[frozenset[str]] = frozenset({"decoder", "initialization"})
    not_carried: ClassVar[tuple[str, ...]] = ("diagnostics.",)
    network: KeyValueBottleneck

    def __init__(
        self,
        context: RunContext,
        heads: int | None = None,
        keys: int = 4096,
        segmentation: Segmentation = "hidden",
        pooling: Literal["mean", "cls"] = "mean",
        place: Literal["before", "after"] = "after",
        decoder: Decoder = "non-parametric",
        top_k: int = 1,
        projection: int = 0,
        padding: Literal["masked", "reference"] = "masked",
        initialization: Literal["oracle", "incremental", "generic", "random"] = "oracle",
        init_epochs: int | None = None,
        init_batch_size: int = 256,
        decay: float = 0.2,
        update: Update = "mean",
        start: Start = "states",
        optimizer: Literal["sparse", "reference"] = "sparse",
        lifetime: Literal["experience", "reference"] = "experience",
        decoder_lr: float | None = None,
    ) -> None:
        sizes = context.encoder.hidden_size, context.max_tokens
        heads = context.encoder.hidden_size // HEAD_SIZE if heads is None else heads
        counts = heads, keys, top_k, projection
        layout = Layout(segmentation, pooling, place, decoder, *counts, padding, *sizes)
        super().__init__(context, KeyValueBottleneck(context, layout, sparse=optimizer == "sparse"))
        self.variant_words = ("np" if decoder == "non-parametric" else "p", initialization)
        epochs = EPOCHS[initialization] if init_epochs is None else init_epochs
        self.initialization = KeyInitialization(epochs, init_batch_size, decay, update, start)
        self.reads_at_start = READS[initialization]
        self.lr = LR[optimizer] if context.lr is None else context.lr
        self.optimizer = optimizer
        self.decoder_lr = DECODER_LR[optimizer] if decoder_lr is None else decoder_lr
        self.diagnostics = KeyDiagnostics(self.network, context.experiences)
        kept = lifetime == "reference" and optimizer == "reference"
        self.moments = KeptMoments(dict(self.named_trainable())) if kept else None

    @property
    def variant(self) -> str:
        """``dkvb-np-oracle``: decoder and key initialization are part of the name."""
        return "-".join(("dkvb", *self.variant_words))

    @property
    def deviation(self) -> str:
        """Which of the public code's ways were not taken."""
        ways = {
            "padding has no weight": self.network.layout.padding == "masked",
            "keys move to means": self.initialization.update == "mean",
            "keys start at token states": self.initialization.start == "states",
            "values train by SGD on the selected rows": self.optimizer == "sparse",
        }
        return ", ".join(way for way, taken in ways.items() if taken)

    def begin_stream(self, reader: TextReader) -> None:
        """Makes keys once and for all; not called where they are made incrementally."""
        self.initialization.apply(self.network, reader, self.generator)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """With incremental keys, moves them to the texts of the experience: values lose their meaning."""
        if self.reads_at_start is None:
            first = experience.index == 0
            self.initialization.apply(self.network, reader, self.generator, first=first)
        self.diagnostics.begin(self.network)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over values, and the linear layer if there is one, each with its learning rate."""
        scale = self.network.layout.selections if self.optimizer == "sparse" else 1
        groups: list[dict[str, Any]] = [{"params": [self.network.values.weight], "lr": self.lr * scale}]
        if self.network.decoder is not None:
            groups.append({"params": list(self.network.decoder.parameters()), "lr": self.decoder_lr})
        if self.optimizer == "sparse":
            return RowSGD(groups)
        optimizer = torch.optim.AdamW(groups, weight_decay=self.context.weight_decay)
        if self.moments is not None:
            self.moments.give(optimizer)
        return optimizer

    def on_train_end(self) -> None:
        """Keeps the optimizer's count of steps with its moments."""
        if self.moments is not None:
            self.moments.count(self.trainer.global_step)

    def diagnose(self, experience: Experience, reader: TextReader) -> dict[str, Any]:
        """Use of keys and locality of the change; see ``KeyDiagnostics.end``."""
        return self.diagnostics.end(self.network, experience.index, reader)
