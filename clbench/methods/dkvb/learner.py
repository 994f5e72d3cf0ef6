"""A learner around a key-value bottleneck: when keys are made, how values train, what diagnostics say."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.core.scenario import Experience
from clbench.methods.dkvb.bottleneck import BottleneckNetwork, Storage
from clbench.methods.dkvb.choices import Choices, KeyTexts, Optimizer
from clbench.methods.dkvb.diagnostics import KeyDiagnostics
from clbench.methods.dkvb.key_init import KeyInitialization, carry_values
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import Adagrad, KeptMoments, RowAdagrad, RowAdam, RowMean, RowSGD
from clbench.methods.dkvb.row_mask import RowMask
from clbench.methods.dkvb.strategies import MOVING
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext

READS: Mapping[KeyTexts, Literal["stream", "generic"] | None] = {
    "oracle": "stream",
    "incremental": None,
    "generic": "generic",
    "random": "generic",
}
EPOCHS: Mapping[KeyTexts, int] = {"oracle": 3, "incremental": 3, "generic": 1, "random": 0}
LR: Mapping[Optimizer, tuple[float, float]] = {
    "row-mean": (0.3, 0.3), "adagrad": (0.1, 0.01), "sgd": (0.1, 1.0), "row-adagrad": (0.1, 0.1),
    "row-adam": (0.1, 0.1), "sparse-adam": (0.03, 0.03), "reference": (0.01, 0.01),
}  # fmt: skip
"""Default learning rates of values with a non-parametric and a parametric decoder."""
DECODER_LR: Mapping[Optimizer, float] = {**dict.fromkeys(LR, 0.1), "adagrad": 1e-3, "reference": 1e-3}
OPTIMIZERS: Mapping[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "adagrad": Adagrad, "sgd": RowSGD, "row-adagrad": RowAdagrad, "row-adam": RowAdam,
    "sparse-adam": torch.optim.SparseAdam,
}  # fmt: skip
"""Those that move the rows of a sparse gradient and no others."""


class BottleneckLearner(ContinualLearner):
    """A key-value bottleneck on a frozen encoder.

    Args:
        context: What the run provides.
        layout: The shape of the bottleneck.
        texts: The texts that keys are made from.
        initialization: How keys are made from them.
        choices: Where there is more than one way.
        decoder_lr: Learning rate of the linear layer; None takes the default of the optimizer.
    """

    network: BottleneckNetwork

    def __init__(
        self,
        context: RunContext,
        layout: Layout,
        texts: KeyTexts,
        initialization: KeyInitialization,
        choices: Choices,
        decoder_lr: float | None,
    ) -> None:
        sparse = choices.optimizer != "reference"
        strategy = choices.strategy or ("average" if texts == "incremental" else "frozen")
        if (strategy == "grow") != (choices.growth > 0):
            raise UserError(f"growth {choices.growth}: strategy grow needs a number above 0, others none")
        layout = dataclasses.replace(layout, keys=layout.keys + choices.growth)
        storage = Storage(choices.key_dtype, choices.growth, choices.stored, choices.value_dtype)
        normal = choices.values == "reference"
        network = BottleneckNetwork(context, layout, sparse=sparse, normal_values=normal, storage=storage)
        super().__init__(context, network)
        if choices.lifetime == "reference" and choices.optimizer not in ("reference", "sgd"):
            raise UserError(
                f"lifetime reference: not with optimizer {choices.optimizer}, which loses its state"
            )
        if choices.start == "reference":
            keys = self.network.codebooks.read().clone()
            self.network.codebooks.write(nn.init.kaiming_uniform_(keys, generator=context.generator("keys")))
        if choices.optimizer in ("row-mean", "sparse-adam") and self.network.decoder is not None:
            raise UserError(
                f"optimizer {choices.optimizer}: it cannot train the linear layer of a parametric decoder"
            )
        if choices.optimizer == "row-mean":
            self.network.values.keep_mass()
        if choices.trained_rows is not None and not sparse:
            raise UserError("trained_rows: not with optimizer reference, which moves all rows")
        rows = choices.trained_rows
        self.mask = None if rows is None else RowMask(self.network.rows, rows)
        self.chosen = torch.zeros(0)  # the rows that the current step trains
        self.texts = texts
        self.initialization = initialization
        self.choices = choices
        default = LR[choices.optimizer][self.network.decoder is not None]
        self.lr = default if context.lr is None else context.lr
        self.decoder_lr = DECODER_LR[choices.optimizer] if decoder_lr is None else decoder_lr
        self.strategy = strategy
        made = MOVING.get(strategy)
        size, step = initialization.batch_size, initialization.decay
        self.moving = None if made is None else made(self.network, size, step)
        moves = strategy != "frozen"
        self.diagnostics = KeyDiagnostics(self.network, context.experiences, moves=moves)
        kept = choices.lifetime == "reference" and not sparse
        self.moments = KeptMoments(dict(self.named_trainable())) if kept else None
        self.info = dataclasses.replace(
            self.info,
            reads_at_start=READS[texts],
            deviations=self._deviations(),
            default_lr={"frozen": default},
        )

    def _deviations(self) -> tuple[str, ...]:
        """The choices that the public code makes otherwise."""
        made, moves = self.choices, self.strategy != "frozen"
        ways = {
            "padding has no weight": made.padding == "masked",
            "keys move to means": made.update == "mean",
            "keys start at token states": made.start == "states",
            "values start at zero": made.values == "zero",
            "values move with keys": moves and made.moved == "carry",
            "keys follow the stream": moves and self.strategy != "average",
            "only selected values train": made.optimizer not in ("row-mean", "reference"),
            "selected values are running means of gradients": made.optimizer == "row-mean",
            "of these, only those of highest TF-IDF": made.trained_rows is not None,
        }
        return tuple(text for text, taken in ways.items() if taken)

    def begin_stream(self, reader: TextReader) -> None:
        """Makes the keys for the whole stream; not called for ``incremental``."""
        self.initialization.apply(self.network, reader, self.generator)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Makes ``incremental`` keys of the first experience, and lets keys follow the stream."""
        if self.texts == "incremental" and experience.index == 0:
            self.initialization.apply(self.network, reader, self.generator)
        if self.strategy != "frozen":
            self._move(experience, reader)
        self.diagnostics.begin(self.network)

    def _move(self, experience: Experience, reader: TextReader) -> None:
        """Moves keys, and values with them."""
        network, earlier = self.network, copy.deepcopy(self.network.codebooks)
        self.diagnostics.begin_keys(earlier)
        replaced = None
        if self.moving is not None:
            replaced = self.moving.begin(network, reader, self.generator)
        elif experience.index > 0:
            self.initialization.apply(network, reader, self.generator, first=False)
        if self.choices.moved == "carry":
            carry_values(network, earlier)
        elif replaced is not None:
            network.values.clear(replaced.flatten())

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Chooses the rows that the step may change."""
        if self.mask is not None:
            self.chosen = self.mask.choose(*self.network.selected(batch))

    def on_after_backward(self) -> None:
        """Takes the gradient off all other rows."""
        if self.mask is not None:
            self.mask.restrict(self.network.values.weight, self.chosen)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Rounds values, and adds the texts to what strategy and mask know of earlier ones."""
        self.network.values.settle()
        if self.moving is not None:
            self.moving.remember(self.network, reader)
        if self.mask is not None:
            for batch in reader.batches(self.context.batch_size):
                one = batch.to(self.device)
                self.mask.remember(self.network.selected(one)[0], one.lengths)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over values, and the linear layer if there is one, each with its learning rate."""
        kind = self.choices.optimizer
        scale = self.network.layout.selections if kind == "sgd" else 1
        groups: list[dict[str, Any]] = [{"params": [self.network.values.weight], "lr": self.lr * scale}]
        if self.network.decoder is not None:
            groups.append({"params": list(self.network.decoder.parameters()), "lr": self.decoder_lr})
        if kind == "row-mean":
            return RowMean(groups, self.network.values.mass)
        if kind in OPTIMIZERS:
            return OPTIMIZERS[kind](groups)
        optimizer = torch.optim.AdamW(groups, weight_decay=self.context.weight_decay, fused=True)
        if self.moments is not None:
            self.moments.give(optimizer)
        return optimizer

    def diagnose(self, experience: Experience, reader: TextReader) -> dict[str, Any]:
        """Use of keys and locality of the change; see ``KeyDiagnostics.end``."""
        return self.diagnostics.end(self.network, experience.index, reader)
