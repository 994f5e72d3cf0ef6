"""What moving keys change for texts of earlier experiences."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.codebooks import Codebooks
from clbench.methods.learner import TextReader
from clbench.models.frozen_prefix import FrozenPrefix

TEXTS, ROWS = 16, 128
"""Texts of an experience, and states of them in all, that are kept; at least one text is."""


class EarlierTexts(nn.Module):
    """Keeps states of some texts of each experience, to see which keys they select before and after a move.

    Args:
        network: Gives the shapes; it is not made a part of this module.
        experiences: T.
    """

    states: Tensor  # (T, S, D) of the texts of an experience, one after the other
    lengths: Tensor  # (T, TEXTS), 0 where there is no text

    def __init__(self, network: BottleneckNetwork, experiences: int) -> None:
        super().__init__()
        layout = network.layout
        rows = max(ROWS, layout.max_tokens)
        self.register_buffer("states", torch.zeros(experiences, rows, layout.hidden_size))
        self.register_buffer("lengths", torch.zeros(experiences, TEXTS, dtype=torch.int64))
        self.before = copy.deepcopy(network.codebooks)

    def begin(self, keys: Codebooks) -> None:
        """Remembers keys before they move."""
        self.before.load_state_dict(keys.state_dict())

    def end(self, network: BottleneckNetwork, index: int, reader: TextReader) -> tuple[int, float, float]:
        """What the move before experience ``index`` changed; keeps texts of ``reader`` for later ones.

        Returns:
            Keys that moved, the share of the selections of earlier texts that changed, and the share of these
            texts that had any changed.
        """
        kept = [self.lengths[each][self.lengths[each] > 0].cpu() for each in range(index)]
        states = [self.states[each, : int(lengths.sum())].cpu() for each, lengths in enumerate(kept)]
        self._keep(network, index, reader)
        moved = int(network.codebooks.moved(self.before).sum())
        if not kept:
            return moved, 0.0, 0.0
        # All of them at once: the search looks at the keys of a head for each call, however few the texts.
        texts = torch.cat(states), torch.cat(kept)
        pairs = zip(
            _selections(network, self.before, *texts),
            _selections(network, network.codebooks, *texts),
            strict=True,
        )
        differ = [((one != other).any(1), text) for (one, text), (other, _) in pairs]
        which, text = (torch.cat(each) for each in zip(*differ, strict=True))
        changed = torch.zeros(len(texts[1]), dtype=torch.bool)
        changed[text[which]] = True
        return moved, float(which.float().mean()), float(changed.float().mean())

    def _keep(self, network: BottleneckNetwork, index: int, reader: TextReader) -> None:
        """As many whole texts as there is room for."""
        prefix = FrozenPrefix(network.layout.prefix_pooling)
        batch = next(reader.batches(TEXTS, prefix=prefix, limit=TEXTS))
        lengths = batch.lengths[batch.lengths.cumsum(0) <= self.states.shape[1]]
        rows = int(lengths.sum())
        self.states[index, :rows] = batch.rows[:rows].to(self.states)
        self.lengths[index] = 0
        self.lengths[index, : len(lengths)] = lengths.to(self.lengths)


def _selections(
    network: BottleneckNetwork, books: Codebooks, states: Tensor, lengths: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each head: the keys (n, k) that these texts select from ``books``, and the text of each query."""
    keys = books.read().cpu()
    for head, asked in enumerate(network.layout.queries(states, lengths, network.projections)):
        vectors = books.queries(head, asked.vectors)
        yield books.nearest(vectors.contiguous(), head, keys, network.layout.top_k).cpu(), asked.text
