"""The discrete key-value bottleneck for text (DKVB, arXiv 2412.08528; Traeuble et al., arXiv 2207.11240).

The token states of a frozen encoder are cut into H heads; in each, a token picks the nearest of K keys.
Keys are moving averages of token states and then frozen; only the values behind the selected keys learn.
Non-parametric decoder: a value has one entry per output column, and the logits are the mean of all
selected values over tokens and heads. Values that a text does not select do not change at all.

Carried: H x K x d keys and H x K x C values. Cost: keys are found once per text, training then looks rows up.
Deviations from the public code: padding has no weight; keys start at token states and move to the mean of
their queries, not their sum; values train by a sparse optimizer, so that unselected ones do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from clbench.bottleneck import KeyValueBottleneck
from clbench.codebook import move_keys
from clbench.learner import ContinualLearner, MemoryKind, TextReader
from clbench.network import Context, Stem, Tuning


class DKVB(ContinualLearner):
    """Discrete key-value bottleneck: hidden segmentation, mean pooling after it, non-parametric decoder.

    Args:
        context: What the run provides.
        heads: H; the encoder's hidden size must be a multiple of it.
        keys: K, keys per head.
        initialisation: Which texts the keys are averages of: the training texts of all experiences
            (``oracle``: sees the future), or text of no experience (``generic``).
        decay: Step of the moving average of keys.
        epochs: Passes over those texts; None is the paper's: 3 for oracle, 1 for generic.
        init_batch_size: Texts per step of the moving average.
        optimizer: One for the whole ``stream``, as in the paper's code, or a fresh one per ``experience``.
            With a fresh one, Adam scales the small gradients of the columns that are not being learned up
            to full steps, and values of earlier classes are forgotten faster. The moments count among
            the bytes carried.
    """

    tunings: ClassVar[tuple[Tuning, ...]] = ("frozen",)
    default_lr: ClassVar[Mapping[Tuning, float]] = {"frozen": 1e-2}
    memory: ClassVar[Mapping[str, MemoryKind]] = {"network.keys": "keys", "network.values": "values"}
    network: KeyValueBottleneck
    moment_first: Tensor
    moment_second: Tensor
    moment_steps: Tensor

    def __init__(
        self,
        context: Context,
        heads: int = 32,
        keys: int = 4096,
        initialisation: Literal["oracle", "generic"] = "oracle",
        decay: float = 0.2,
        epochs: int | None = None,
        init_batch_size: int = 256,
        optimizer: Literal["stream", "experience"] = "stream",
    ) -> None:
        super().__init__(context, KeyValueBottleneck(context, heads, keys))
        self.initialisation = initialisation
        self.decay = decay
        self.init_epochs = epochs or {"oracle": 3, "generic": 1}[initialisation]
        self.init_batch_size = init_batch_size
        self.optimizer = optimizer
        if optimizer == "stream":
            values = self.network.values.weight
            self.register_buffer("moment_first", torch.zeros_like(values))
            self.register_buffer("moment_second", torch.zeros_like(values))
            self.register_buffer("moment_steps", torch.zeros((), dtype=torch.int64))
        self.reads_at_start = {"oracle": "stream", "generic": "general"}[initialisation]

    @property
    def variant(self) -> str:
        """``dkvb-np-oracle``: decoder and key initialisation are part of the name."""
        return f"dkvb-np-{self.initialisation}"

    def begin_stream(self, reader: TextReader) -> None:
        """Makes keys moving averages of token states, then leaves them frozen.

        They start at random token states: from the standard normal, most would never be anyone's nearest.
        """
        with torch.no_grad():
            first = next(reader.batches(4 * self.init_batch_size, stem=Stem("states")))
            self.network.start_keys(first.rows[first.mask], self.generator)
            for _ in range(self.init_epochs):
                for batch in reader.batches(self.init_batch_size, stem=Stem("states")):
                    queries = self.network.queries(batch.rows[batch.mask])
                    move_keys(self.network.keys, queries.to(self.network.keys.device), self.decay)
        self.network.version += 1

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam on the selected values only: a dense optimizer's momentum and decay would move others."""
        values = self.network.values.weight
        optimizer = torch.optim.SparseAdam([values], lr=self.lr)
        if self.optimizer == "stream":
            moments = {"exp_avg": self.moment_first, "exp_avg_sq": self.moment_second}
            optimizer.state[values] = {"step": int(self.moment_steps), **moments}
        return optimizer

    def on_train_end(self) -> None:
        """Keeps the optimizer's count of steps with its moments, which are updated in place."""
        if self.optimizer == "stream":
            self.moment_steps += self.trainer.global_step
