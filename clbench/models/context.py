"""What a learner needs to know of its run: encoder, sizes, tuning and seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.core.seeding import derive
from clbench.core.types import Head, Placement, Pooled, Task, Tuning
from clbench.models.encoder import TextEncoder


@dataclass(frozen=True)
class RunContext:
    """What a learner needs to know of its run; the arguments of the method itself come on top.

    Attributes:
        encoder: The pretrained encoder.
        columns: C, the number of output columns of the scenario.
        experiences: T, the number of experiences of the stream.
        task_aware: Whether the experience of a text is known at test time.
        task: What is learned: classes of texts, or next tokens, with a ``LanguageModel`` as the encoder.
        max_tokens: The longest text, in tokens.
        batch_size: Examples per training step.
        tuning: Which parameters of the encoder train.
        lr: Learning rate; None takes the method's own default for the tuning.
        weight_decay: Weight decay of AdamW.
        adapter_size: Width of the bottleneck adapters.
        adapter_placement: Where the adapters are; see ``clbench.models.adapters.add_adapters``.
        lora_rank: Rank of the low-rank updates.
        prompt_length: Vectors of a soft prompt.
        pooling: How token states become one vector per text, where a network does not decide that itself.
        head: What is trained on a frozen encoder.
        seed: Determines everything random in the learner.
        texts: The number of training texts of all experiences, for a memory that keeps all of them.
    """

    encoder: TextEncoder
    columns: int
    experiences: int
    task_aware: bool = False
    task: Task = "classification"
    max_tokens: int = 128
    batch_size: int = 16
    tuning: Tuning = "full"
    lr: float | None = None
    weight_decay: float = 0.01
    adapter_size: int = 64
    adapter_placement: Placement = "houlsby"
    lora_rank: int = 8
    prompt_length: int = 10
    pooling: Pooled = "mean"
    head: Head = "linear"
    seed: int = 0
    texts: int = 0

    @property
    def tuning_name(self) -> str:
        """The tuning as part of a method's name; adapters with another placement have another name."""
        if self.tuning == "adapter" and self.adapter_placement != "houlsby":
            return self.adapter_placement
        return self.tuning

    def generator(self, purpose: str) -> torch.Generator:
        """A new generator for one purpose, such as the initial weights, seeded by the run's seed."""
        return torch.Generator().manual_seed(derive(self.seed, purpose))
