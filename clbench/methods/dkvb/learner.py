"""A learner around a key-value bottleneck: when keys are made, how values train, what diagnostics say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from clbench.core.errors import UserError
from clbench.core.scenario import Experience
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.diagnostics import KeyDiagnostics
from clbench.methods.dkvb.key_init import KeyInitialization, carry_values
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import KeptMoments, RowAdagrad, RowAdam, RowOptimizer, RowSGD
from clbench.methods.learner import ContinualLearner, TextReader
from clbench.models.context import RunContext

KeyTexts = Literal["oracle", "incremental", "generic", "random"]
READS: dict[KeyTexts, Literal["stream", "generic"] | None] = {
    "oracle": "stream",
    "incremental": None,
    "generic": "generic",
    "random": "generic",
}
Optimizer = Literal["sgd", "adagrad", "adam", "sparse-adam", "reference"]
LR: Mapping[Optimizer, float] = {
    "sgd": 0.1, "adagrad": 0.1, "adam": 0.1, "sparse-adam": 0.1, "reference": 0.01
}  # fmt: skip
DECODER_LR: Mapping[Optimizer, float] = {**dict.fromkeys(LR, 0.1), "sparse-adam": 1e-3, "reference": 1e-3}
ROW_OPTIMIZERS: Mapping[str, type[RowOptimizer]] = {"sgd": RowSGD, "adagrad": RowAdagrad, "adam": RowAdam}


@dataclass(frozen=True)
class ValueTraining:
    """How values and the decoder train.

    Attributes:
        optimizer: Of the selected values, ``sgd``, ``adagrad`` and ``adam`` with one number per row, or
            ``sparse-adam`` of torch; dense AdamW (``reference``).
        start: Values start at zero, or standard normal (``reference``).
        lifetime: A new optimizer for each experience, or one for the stream (``reference``).
        decoder_lr: Learning rate of the linear layer; None takes 0.1, and 0.001 for ``reference``.
    """

    optimizer: Optimizer
    start: Literal["zero", "reference"]
    lifetime: Literal["experience", "reference"]
    decoder_lr: float | None


class BottleneckLearner(ContinualLearner):
    """A key-value bottleneck on a frozen encoder.

    Args:
        context: What the run provides.
        layout: The shape of the bottleneck.
        texts: The texts that keys are made from.
        initialization: How keys are made from them.
        values: How values train.
        moved: What becomes of values where incremental keys move.
    """

    network: BottleneckNetwork

    def __init__(
        self,
        context: RunContext,
        layout: Layout,
        texts: KeyTexts,
        initialization: KeyInitialization,
        values: ValueTraining,
        moved: Literal["carry", "reference"],
    ) -> None:
        sparse = values.optimizer != "reference"
        normal = values.start == "reference"
        super().__init__(context, BottleneckNetwork(context, layout, sparse=sparse, normal_values=normal))
        if values.optimizer == "sparse-adam" and self.network.decoder is not None:
            raise UserError("optimizer sparse-adam: it cannot train the linear layer of a parametric decoder")
        self.texts = texts
        self.initialization = initialization
        self.values = values
        self.moved = moved
        default = LR[values.optimizer]
        self.lr = default if context.lr is None else context.lr
        self.decoder_lr = DECODER_LR[values.optimizer] if values.decoder_lr is None else values.decoder_lr
        self.diagnostics = KeyDiagnostics(self.network, context.experiences)
        kept = values.lifetime == "reference" and not sparse
        self.moments = KeptMoments(dict(self.named_trainable())) if kept else None
        self.info = dataclasses.replace(
            self.info,
            reads_at_start=READS[texts],
            deviations=self._deviations(),
            default_lr={"frozen": default},
        )

    def _deviations(self) -> tuple[str, ...]:
        """The choices that the public code makes otherwise."""
        choices = {
            "padding has no weight": self.network.layout.padding == "masked",
            "keys move to means": self.initialization.update == "mean",
            "keys start at token states": self.initialization.start == "states",
            "values start at zero": self.values.start == "zero",
            "values move with incremental keys": self.texts == "incremental" and self.moved == "carry",
            "only selected values train": self.values.optimizer != "reference",
        }
        return tuple(text for text, taken in choices.items() if taken)

    def begin_stream(self, reader: TextReader) -> None:
        """Makes the keys for the whole stream; not called for ``incremental``."""
        self.initialization.apply(self.network, reader, self.generator)

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """For ``incremental``, moves the keys, and with them the values that were learned."""
        if self.texts == "incremental":
            first, earlier = experience.index == 0, self.network.keys.clone()
            self.initialization.apply(self.network, reader, self.generator, first=first)
            if not first and self.moved == "carry":
                carry_values(self.network, earlier)
        self.diagnostics.begin(self.network)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer over values, and the linear layer if there is one, each with its learning rate."""
        kind = self.values.optimizer
        scale = self.network.layout.selections if kind == "sgd" else 1
        groups: list[dict[str, Any]] = [{"params": [self.network.values.weight], "lr": self.lr * scale}]
        if self.network.decoder is not None:
            groups.append({"params": list(self.network.decoder.parameters()), "lr": self.decoder_lr})
        if kind == "sparse-adam":
            return torch.optim.SparseAdam(groups)
        if kind in ROW_OPTIMIZERS:
            return ROW_OPTIMIZERS[kind](groups)
        optimizer = torch.optim.AdamW(groups, weight_decay=self.context.weight_decay, fused=True)
        if self.moments is not None:
            self.moments.give(optimizer)
        return optimizer

    def diagnose(self, experience: Experience, reader: TextReader) -> dict[str, Any]:
        """Use of keys and locality of the change; see ``KeyDiagnostics.end``."""
        return self.diagnostics.end(self.network, experience.index, reader)
