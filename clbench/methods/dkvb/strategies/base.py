"""The interface of a strategy for keys."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from clbench.methods.dkvb.bottleneck import Bottleneck
from clbench.methods.dkvb.codebook import assigned
from clbench.methods.dkvb.key_init import query_batches
from clbench.methods.learner import TextReader


class KeyStrategy(nn.Module):
    """What happens to keys before each experience but the first, which gives a strategy its statistics.

    What it remembers is a buffer. It changes ``network.codebooks`` alone.

    Args:
        network: Its shape counts; it is not made a part of this module.
        batch_size: Texts per step.
        decay: The step size of running averages.
    """

    begun: Tensor

    def __init__(self, network: Bottleneck, batch_size: int, decay: float) -> None:
        super().__init__()
        self.batch_size, self.decay = batch_size, decay
        self.register_buffer("begun", torch.tensor(False))

    @torch.no_grad()
    def begin(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """Looks at the first experience, and changes keys before later ones.

        Returns:
            Which keys (H, K) have nothing to do any more with the earlier ones of their number; None: no key.
        """
        if not self.begun:
            self.begun.fill_(True)
            self.measure(network, reader)
            return None
        return self.move(network, reader, generator)

    def measure(self, network: Bottleneck, reader: TextReader) -> None:
        """Takes statistics of the training texts of the first experience."""

    def move(self, network: Bottleneck, reader: TextReader, generator: torch.Generator) -> Tensor | None:
        """Changes the keys for the training texts of a later experience; see ``begin``."""
        raise NotImplementedError

    def remember(self, network: Bottleneck, reader: TextReader) -> None:
        """Called after an experience, with its training texts."""

    def batches(self, network: Bottleneck, reader: TextReader) -> Iterator[list[Tensor]]:
        """The queries (N_h, d) of each head, of ``batch_size`` texts at a time."""
        return query_batches(network, reader, self.batch_size)

    def counts(self, network: Bottleneck, reader: TextReader) -> tuple[Tensor, int]:
        """How many queries of these texts each key is nearest to, (H, K), and the number of batches."""
        keys, steps = network.codebooks.read(), 0
        counts = torch.zeros(keys.shape[:2], device=keys.device)
        for vectors in self.batches(network, reader):
            steps += 1
            for head, each in enumerate(vectors):
                counts[head] += assigned(keys[head], each)[1]
        return counts, steps
