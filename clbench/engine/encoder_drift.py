"""A frozen encoder that changes between experiences: it is fine-tuned on each of them after it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.batch import masked_mean
from clbench.core.device import compute_device
from clbench.core.errors import UserError
from clbench.core.scenario import Scenario
from clbench.core.seeding import derive, seeded
from clbench.data.batches import EncodedTexts
from clbench.data.datamodule import Reader
from clbench.models.encoder import TextEncoder, token_states
from clbench.models.layers import linear

if TYPE_CHECKING:
    from clbench.engine.build import Run

MAX_NORM = 1.0
"""What the norm of gradients is clipped to."""


def check_encoder_drift(scenario: Scenario, *, frozen: bool, cached: bool) -> None:
    """Refuses a learner that cannot follow an encoder that changes.

    Args:
        scenario: Says whether it does.
        frozen: Whether the learner has a frozen encoder.
        cached: Whether its features are cached.

    Raises:
        UserError: The encoder changes, and it is not frozen, or features are not cached.
    """
    if scenario.encoder_drift is not None and not (frozen and cached):
        raise UserError(
            f"scenario '{scenario.name}' changes the frozen encoder between experiences (encoder_drift): "
            f"{'use cache_features true' if frozen else 'use a method with tuning frozen'}"
        )


def drift_encoder(run: Run, index: int) -> None:
    """Gives the data module the encoder of a stage: the run's, fine-tuned on the experiences before it.

    It is the same for every method, and is read from the cache where an earlier run has made it. The method
    is not charged for it. Joint training has the encoder of the last experience.
    """
    data, lr, columns = run.data, run.stream.scenario.encoder_drift, len(run.stream.scenario.columns)
    if lr is None:
        return
    wanted = index + run.stream.stages[index].merged - 1
    begun, run.drifted = run.drifted, wanted
    for experience in run.stream.experiences[begun:wanted]:
        split = experience.splits["train"]
        texts = data.texts(split, None)
        reader, encoder = Reader(data, split, 0), data.encoder
        labels = hashlib.sha256(texts.targets.numpy().tobytes()).hexdigest()
        address = f"fine-tuned, rate {lr}, batches of {data.protocol.batch_size}, {columns} columns, {labels}"

        def make(texts: EncodedTexts = texts, encoder: TextEncoder = encoder) -> dict[str, Tensor]:
            return fine_tuned(encoder, texts, columns, lr, data.protocol.batch_size)

        with run.meter.apart():
            weights = reader.remembered(address, make)
        data.encoder = encoder.with_weights(weights)


def fine_tuned(
    encoder: TextEncoder, texts: EncodedTexts, columns: int, lr: float, batch_size: int
) -> dict[str, Tensor]:
    """The weights of an encoder, in bfloat16, after one epoch with a linear layer on its mean states.

    Steps are AdamW's.

    Args:
        encoder: Stays as it is.
        texts: As token ids, with their columns.
        columns: C, the outputs of the linear layer.
        lr: The learning rate.
        batch_size: Texts per step.
    """
    device = compute_device()
    with seeded(derive(0, "encoder drift")):
        model = encoder.model().to(device).train()  # type: ignore[arg-type]  # transformers wraps it untyped
        head = linear(encoder.hidden_size, columns, None).to(device)
        parameters = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=lr)
        for batch in texts.batches(torch.randperm(len(texts)), batch_size):
            rows, mask = (each.to(device) for each in batch.padded())
            logits = head(masked_mean(token_states(model, rows, mask), mask))
            loss = F.cross_entropy(logits, batch.targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
            optimizer.step()
    return {name: each.detach().cpu().bfloat16() for name, each in model.named_parameters()}
