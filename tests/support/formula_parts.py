"""Small learners on made-up features, for tests of formulas."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
import torch
from torch.utils.data import DataLoader

from clbench.core.batch import Batch, pack
from clbench.core.scenario import Experience
from clbench.methods.learner import ContinualLearner
from clbench.models.causal_lm import load_language_model
from clbench.models.context import RunContext
from clbench.models.encoder import TextEncoder, load_encoder

SIZE = 32
COLUMNS = 3
FIELDS = ("rows", "lengths", "targets", "class_mask", "experience")


def context(**options) -> RunContext:
    """A frozen ``tiny`` encoder, three columns, two experiences."""
    defaults = {"columns": COLUMNS, "experiences": 2, "texts": 500, "max_tokens": 16, "tuning": "frozen"}
    return RunContext(**({"encoder": load_encoder("tiny")} | defaults | options))


def context_of(method: type[ContinualLearner], **options) -> RunContext:
    """A context for a method: that of classes, or of ``tiny-lm`` if it learns next tokens alone."""
    given = {"tuning": method.info.tunings[0], "task_aware": True}
    if "classification" not in method.info.tasks:
        given |= {"task": "language-model", "encoder": load_language_model("tiny-lm")}
    return context(**(given | options))


def features(count: int, size: int = SIZE, seed: int = 0, experience: int = 0) -> Batch:
    """Normal features with random targets, no column masked."""
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        rows=torch.randn(count, 1, size, generator=generator)[:, 0],
        lengths=torch.ones(count, dtype=torch.int64),
        targets=torch.randint(COLUMNS, (count,), generator=generator),
        class_mask=torch.ones(count, COLUMNS, dtype=torch.bool),
        experience=torch.full((count,), experience),
    )


def part(batch: Batch, at: slice | torch.Tensor) -> Batch:
    """Texts ``at`` of a batch, by a loop."""
    ends = batch.lengths.cumsum(0).tolist()
    places = torch.arange(len(batch))[at].tolist()
    rows = [batch.rows[ends[place] - batch.lengths[place] : ends[place]] for place in places]
    return Batch(torch.cat(rows), *(getattr(batch, name)[at] for name in FIELDS[1:]))


def of_texts(encoder: TextEncoder, words: Sequence[str], targets: Sequence[int] | None = None) -> Batch:
    """Token ids of texts of one experience, no column masked."""
    rows, lengths = pack(encoder.tokenize(words, [None] * len(words), 16))
    return Batch(
        rows=rows,
        lengths=lengths,
        targets=torch.tensor([0] * len(words) if targets is None else list(targets)),
        class_mask=torch.ones(len(words), COLUMNS, dtype=torch.bool),
        experience=torch.zeros(len(words), dtype=torch.int64),
    )


def experience(index: int, *columns: int) -> Experience:
    return Experience(index, str(index), columns, {})


class Texts:
    """A reader over one batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def batches(self, batch_size, *, prefix=None, limit=None):
        for begin in range(0, min(limit or len(self.batch), len(self.batch)), batch_size):
            yield part(self.batch, slice(begin, begin + batch_size))


def fit(learner: lightning.LightningModule, batches: Sequence[Batch], epochs: int = 1) -> None:
    """Trains on the batches, one after the other."""
    trainer = lightning.Trainer(
        max_epochs=epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0, accelerator="cpu", devices=1,
    )  # fmt: skip
    learner.train()
    trainer.fit(learner, DataLoader(list(batches), batch_size=1, collate_fn=lambda items: items[0]))
