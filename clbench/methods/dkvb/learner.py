"""A learner around a key-value bottleneck: when keys are made, how values train, what diagnostics say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.core.scenario import Experience
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.choices import Choices, Optimizer
from clbench.methods.dkvb.diagnostics import KeyDiagnostics
from clbench.methods.dkvb.key_init import KeyInitialization, carry_values
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import KeptMoments, RowAdagrad, RowAdam, RowMean, RowSGD
from clbench.methods.dkvb.row_mask import RowMask
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext

KeyTexts = Literal["oracle", "incremental", "generic", "random"]
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
    "adagrad": torch.optim.Adagrad, "sgd": RowSGD, "row-adagrad": RowAdagrad, "row-adam": RowAdam,
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
        normal = choices.values == "reference"
        super().__init__(context, BottleneckNetwork(context, layout, sparse=sparse, normal_values=normal))
        if choices.lifetime == "reference" and choices.optimizer not in ("reference", "sgd"):
            raise UserError(
                f"lifetime reference: not with optimizer {choices.optimizer}, which loses its state"
            )
        if choices.start == "reference":
            nn.init.kaiming_uniform_(self.network.keys, generator=context.generator("keys"))
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
        self.diagnostics = KeyDiagnostics(self.network, context.experiences)
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
        made, incremental = self.choices, self.texts == "incremental"
        ways = {
            "padding has no weight": made.padding == "masked",
            "keys move to means": made.update == "mean",
            "keys start at token states": made.start == "states",
            "values start at zero": made.values == "zero",
            "values move with incremental keys": incremental and made.moved == "carry",
            "only selected values train": made.optimizer not in ("row-mean", "reference"),
            "selected values are running means of gradients": made.optimizer == "row-mean",
            "of these, only those of highest TF-IDF": made.trained_rows is not None,
        }
        return tuple(text for text, taken in ways.items() if taken)

    def begin_stream(self, reader: TextReader) -> None:
        """Makes the keys for the whole stream; not called for ``incremental``."""
        self.initialization.apply(self.network, reader, self.generator)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """For ``incremental``, moves the keys, and with them the values that were learned."""
        if self.texts == "incremental":
            first, earlier = experience.index == 0, self.network.keys.clone()
            self.initialization.apply(self.network, reader, self.generator, first=first)
            if not first and self.choices.moved == "carry":
                carry_values(self.network, earlier)
        self.diagnostics.begin(self.network)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Chooses the rows that the step may change."""
        if self.mask is not None:
            self.chosen = self.mask.choose(*self.network.selected(batch))

    def on_after_backward(self) -> None:
        """Takes the gradient off all other rows."""
        if self.mask is not None:
            self.mask.restrict(self.network.values.weight, self.chosen)

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Adds the texts of the experience to the background of the next."""
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
