"""Steps of training a whole encoder."""

from __future__ import annotations

import torch

from clbench.benchmark import naive
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin
from clbench.benchmark.training import BATCH
from clbench.core.costs import Meter
from clbench.core.device import compute_device
from clbench.data.batches import Batches, EncodedTexts, bucketed
from clbench.data.scenarios import find_scenario
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.progress import StepBar
from clbench.engine.training import Training
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.models.encoder import TextEncoder

STEPS = 16
"""Steps of one repetition of the engine: their batches have different lengths."""


def train_naive(setting: Setting) -> Measured:
    """Per step of 16 texts."""
    encoder = begin(setting, "float32")
    columns = len(find_scenario(setting.scenario).columns)
    model = naive.FineTuning(encoder, columns, setting.max_tokens).to(compute_device()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    tokens = setting.tokens(encoder, BATCH)
    return repeated(lambda: naive.training_step(model, optimizer, tokens), units=1)


def train_engine(setting: Setting) -> Measured:
    """Per step of 16 texts, making the batch and counting operations included."""
    encoder = begin(setting)
    columns = len(find_scenario(setting.scenario).columns)
    learner = ContinualLearner(
        RunContext(encoder, columns=columns, experiences=1, max_tokens=setting.max_tokens, lr=1e-5)
    )
    fabric, meter = make_fabric(None, encoder.dtype), Meter()
    attach(learner, fabric)
    batches = _batches(setting, encoder, columns, meter)

    def work() -> None:
        with meter.phase("train"):
            Training(learner, fabric, meter, StepBar(show=False), small=False).fit(batches, epochs=1)

    return repeated(work, units=STEPS)


def _batches(setting: Setting, encoder: TextEncoder, columns: int, meter: Meter) -> Batches:
    """Batches as the data module makes them for a trained encoder: of texts of like length."""
    tokens = setting.tokens(encoder, BATCH * STEPS)
    zeros = torch.zeros(len(tokens), dtype=torch.int64)
    allowed = torch.ones(1, columns, dtype=torch.bool)
    texts = EncodedTexts(tokens, zeros, zeros, allowed, None, meter)
    lengths = torch.from_numpy(tokens.lengths)
    generator = torch.Generator().manual_seed(0)

    def draw() -> torch.Tensor:
        return bucketed(torch.randperm(len(tokens), generator=generator), lengths, BATCH, generator)

    return Batches(texts, BATCH, draw, len(tokens))


CASES = (
    Case(
        "train_encoder_step",
        f"training step of a whole encoder on {BATCH} texts, against float32 and texts padded to the limit",
        2,
        train_naive,
        train_engine,
    ),
)
