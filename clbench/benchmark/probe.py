"""A linear probe on frozen features: steps and evaluations, against Lightning's Trainer with a DataLoader."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin
from clbench.core.batch import masked_mean
from clbench.core.costs import FlopCounter, Meter
from clbench.data.batches import Batches, EncodedTexts
from clbench.engine.evaluation import confusion
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.progress import StepBar
from clbench.engine.training import Training
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.models.ragged import RaggedArray

TEXTS, TEST_TEXTS, BATCH, SIZE, COLUMNS = 3200, 7500, 32, 384, 20


def _vectors(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, SIZE, generator=generator)
    return features, torch.randint(COLUMNS, (count,), generator=generator)


def _trainer(**options: Any) -> Any:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_model_summary=False,
        enable_progress_bar=False, limit_val_batches=0, devices=1, **options,
    )  # fmt: skip


class _Padded(NamedTuple):
    """A batch of texts as padded rows."""

    rows: Tensor  # (B, T, D)
    mask: Tensor  # (B, T)
    targets: Tensor  # (B,)
    class_mask: Tensor  # (B, C)


def _collate(items: list[tuple[np.ndarray, int]]) -> _Padded:
    """Pads texts of any length, one by one."""
    lengths = np.array([len(rows) for rows, _ in items])
    padded = np.zeros((len(items), lengths.max(), SIZE), np.float32)
    for at, (rows, _) in enumerate(items):
        padded[at, : len(rows)] = rows
    mask = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
    targets = torch.tensor([target for _, target in items])
    return _Padded(torch.from_numpy(padded), mask, targets, torch.ones(len(items), COLUMNS, dtype=torch.bool))


def _loader(count: int, size: int, *, shuffle: bool) -> DataLoader[Any]:
    features, targets = _vectors(count)
    texts: Any = [(rows[None].numpy(), int(target)) for rows, target in zip(features, targets, strict=True)]
    return DataLoader(texts, batch_size=size, shuffle=shuffle, collate_fn=_collate)


def _plain_probe() -> Any:
    """The probe as a LightningModule that logs each step and keeps a metric."""
    import lightning
    from torchmetrics.classification import MulticlassConfusionMatrix

    class Probe(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(SIZE, COLUMNS)
            self.confusion = MulticlassConfusionMatrix(COLUMNS)

        def forward(self, batch: _Padded) -> Tensor:
            logits: Tensor = self.head(masked_mean(batch.rows, batch.mask))
            return logits.masked_fill(~batch.class_mask, -torch.inf)

        def training_step(self, batch: _Padded, index: int) -> Tensor:
            loss = F.cross_entropy(self(batch), batch.targets)
            self.log("train/loss", loss, batch_size=len(batch.targets))
            return loss

        def test_step(self, batch: _Padded, index: int) -> None:
            self.confusion.update(self(batch).argmax(1), batch.targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=0.01)

    return Probe()


def step_naive(setting: Setting) -> Measured:
    """Per step: ``Trainer.fit`` over a list of texts, each operation counted."""
    torch.set_num_threads(1)
    model, loader = _plain_probe(), _loader(TEXTS, BATCH, shuffle=True)

    def work() -> None:
        with FlopCounter():
            _trainer().fit(model, loader)

    return repeated(work, units=len(loader))


def evaluate_naive(setting: Setting) -> Measured:
    """Whole evaluation: ``Trainer.test`` in batches of 64, with a metric."""
    torch.set_num_threads(1)
    model, loader = _plain_probe(), _loader(TEST_TEXTS, 64, shuffle=False)

    def work() -> None:
        with FlopCounter():
            _trainer().test(model, loader, verbose=False)

    return repeated(work, units=1)


def _learner(setting: Setting) -> ContinualLearner:
    context = RunContext(
        begin(setting), columns=COLUMNS, experiences=1, tuning="frozen", batch_size=BATCH, lr=0.01
    )
    torch.set_num_threads(1)  # as in a run: see ``one_thread``
    return ContinualLearner(context)


def _texts(count: int, meter: Meter) -> EncodedTexts:
    features, targets = _vectors(count)
    return EncodedTexts(
        rows=RaggedArray(
            (features.numpy(),), np.zeros(count, np.int64), np.arange(count), np.arange(count) + 1
        ),
        targets=targets,
        experience=torch.zeros(count, dtype=torch.int64),
        class_mask=torch.ones(1, COLUMNS, dtype=torch.bool),
        flops=np.zeros(count, np.int64),
        meter=meter,
    )


def step_engine(setting: Setting) -> Measured:
    """Per step: the loop of a run, over slices."""
    learner, meter, fabric = _learner(setting), Meter(), make_fabric(None)
    attach(learner, fabric)
    batches = Batches(_texts(TEXTS, meter), BATCH, lambda: torch.randperm(TEXTS), TEXTS)

    def work() -> None:
        with meter.phase("train"):
            Training(learner, fabric, meter, StepBar(show=False), small=True).fit(batches, 1)

    return repeated(work, units=len(batches))


def evaluate_engine(setting: Setting) -> Measured:
    """Whole evaluation, as in a run."""
    learner, meter, fabric = _learner(setting), Meter(), make_fabric(None)
    attach(learner, fabric)
    texts = _texts(TEST_TEXTS, meter)
    batches = Batches(texts, texts.block(), lambda: torch.arange(TEST_TEXTS), TEST_TEXTS)

    def work() -> None:
        with meter.phase("evaluate"):
            confusion(learner, batches)

    return repeated(work, units=1)


CASES = (
    Case(
        "probe_step",
        f"linear probe, a step on {BATCH} vectors, operations counted, "
        "against lightning.Trainer with a DataLoader over a list",
        10,
        step_naive,
        step_engine,
    ),
    Case(
        "evaluate_stream",
        f"linear probe, evaluation of {TEST_TEXTS:,} vectors, likewise with a metric per batch",
        50,
        evaluate_naive,
        evaluate_engine,
    ),
)
