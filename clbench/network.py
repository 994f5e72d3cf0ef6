"""What a learner trains: a network over texts that knows which part of itself is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from clbench.adapter import Placement, add_adapters
from clbench.batch import Batch, masked_mean
from clbench.encoder import TextEncoder, token_states
from clbench.lora import add_lora
from clbench.seeding import derive
from clbench.stem import Stem

Tuning = Literal["full", "frozen", "adapter", "lora"]
TUNINGS: tuple[Tuning, ...] = get_args(Tuning)


@dataclass(frozen=True)
class Context:
    """What a run tells a learner about itself; a method adds arguments of its own beside it.

    Attributes:
        encoder: The pretrained encoder.
        columns: C, the number of output columns of the scenario.
        experiences: T, the number of experiences of the stream.
        task_aware: Whether the experience of a text is known at test time.
        max_tokens: The longest text, in tokens.
        batch_size: Examples per training step.
        tuning: Which parameters of the encoder train.
        lr: Learning rate; None takes the method's own default for the tuning.
        weight_decay: Of AdamW.
        adapter_size: Width of the bottleneck adapters.
        adapter_placement: Where they are: see ``clbench.adapter.add_adapters``.
        lora_rank: Rank of the low-rank updates.
        seed: Everything random in the learner follows from it.
    """

    encoder: TextEncoder
    columns: int
    experiences: int
    task_aware: bool = False
    max_tokens: int = 128
    batch_size: int = 16
    tuning: Tuning = "full"
    lr: float | None = None
    weight_decay: float = 0.01
    adapter_size: int = 64
    adapter_placement: Placement = "houlsby"
    lora_rank: int = 8
    seed: int = 0

    @property
    def tuning_name(self) -> str:
        """The tuning as it stands in a method's name: adapters of another placement are another method."""
        if self.tuning == "adapter" and self.adapter_placement != "houlsby":
            return self.adapter_placement
        return self.tuning

    def generator(self, purpose: str) -> torch.Generator:
        """A generator of its own for one purpose, such as the first weights."""
        return torch.Generator().manual_seed(derive(self.seed, purpose))


class Network(nn.Module):
    """Logits over all output columns from a batch past the frozen prefix.

    Attributes:
        row_shape: Past the stem: rows per text at most, shape of a row, and its type. A replay buffer
            keeps texts in this form.
    """

    @property
    def stem(self) -> Stem | None:
        """The frozen prefix, or None where texts arrive as token ids."""
        return None

    row_shape: tuple[int, tuple[int, ...], torch.dtype]


class TextClassifier(Network):
    """An encoder, the mean of its token states, and one linear layer over all C output columns.

    With tuning ``frozen`` the encoder is the stem and only the linear layer is here.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        size = context.encoder.hidden_size
        generator = context.generator("network")
        self.encoder = None if context.tuning == "frozen" else context.encoder.model()
        if self.encoder is None:
            self.row_shape = (1, (size,), torch.float32)
        else:
            self.row_shape = (context.max_tokens, (2,), torch.int32)
            if context.tuning == "adapter":
                add_adapters(
                    self.encoder, context.adapter_size, context.adapter_placement, generator=generator
                )
            elif context.tuning == "lora":
                add_lora(self.encoder, context.lora_rank, generator=generator)
        self.head = nn.Linear(size, context.columns)
        with torch.no_grad():
            self.head.weight.uniform_(-(size**-0.5), size**-0.5, generator=generator)
            self.head.bias.zero_()

    @property
    def stem(self) -> Stem | None:
        """The mean of the token states of a frozen encoder."""
        return Stem("mean") if self.encoder is None else None

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        rows = batch.rows if self.encoder is None else token_states(self.encoder, batch.rows, batch.mask)
        logits: Tensor = self.head(masked_mean(rows, batch.mask))
        return logits
