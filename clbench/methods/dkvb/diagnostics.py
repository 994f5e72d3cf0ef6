"""How a bottleneck uses its keys, and what an experience changed in it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.codebooks import Codebooks
from clbench.methods.dkvb.earlier_texts import EarlierTexts
from clbench.methods.dkvb.key_init import queries
from clbench.methods.learner import TextReader
from clbench.models.frozen_prefix import FrozenPrefix

SAMPLE = 64
"""Texts for the quantization error."""


class KeyDiagnostics(nn.Module):
    """Watches a bottleneck from one experience to the next.

    Args:
        network: The bottleneck; it is not made a part of this module.
        experiences: T.
        moves: Whether keys move between experiences.
    """

    selected: Tensor  # (T, H * K): which value rows the training texts of an experience selected
    before: Tensor  # the values as they were before an experience

    def __init__(self, network: BottleneckNetwork, experiences: int, *, moves: bool = False) -> None:
        super().__init__()
        self.earlier = EarlierTexts(network, experiences) if moves else None
        self.register_buffer("selected", torch.zeros(experiences, network.rows, dtype=torch.bool))
        self.register_buffer("before", network.values.weight.detach().clone(), persistent=False)

    def begin_keys(self, keys: Codebooks) -> None:
        """Remembers the keys as they are before they move for an experience."""
        if self.earlier is not None:
            self.earlier.begin(keys)

    def begin(self, network: BottleneckNetwork) -> None:
        """Remembers the values as they are before an experience."""
        self.before.copy_(network.values.weight.detach())

    def end(self, network: BottleneckNetwork, index: int, reader: TextReader) -> dict[str, Any]:
        """What is known after experience ``index``, whose training texts ``reader`` gives.

        Returns:
            keys_in_use: Keys that these texts select. perplexity: Of the use of a head's keys, averaged over
            heads: K if all are used equally often. dead_keys: Keys that no text so far selected.
            quantization_error: Mean squared distance of queries from their key, divided by their variance, on
            a sample of texts. overlap: With each earlier experience, the Jaccard index of the selected keys.
            values_changed: Value rows that differ from before. unselected_changed: The share of the rows that
            no text of this experience selects that differ all the same. key_bytes, value_bytes. keys_moved:
            Keys that are not where they were before the experience, new ones included. selections_changed:
            Of the selections of a sample of earlier texts, the share that this changed. texts_changed: Of
            these texts, the share that had any of them changed.
        """
        layout = network.layout
        usage = torch.zeros(network.rows)
        for batch in reader.batches(256):
            rows, counts = (each.cpu() for each in network.selected(batch))
            usage.index_add_(0, rows, counts.float())
        selected = usage > 0
        self.selected[index] = selected.to(self.selected.device)
        share = usage.view(layout.heads, layout.keys)
        share = share / share.sum(1, keepdim=True).clamp(min=1)
        changed = (network.values.weight.detach() != self.before).any(1).cpu()
        earlier = self.selected[:index].cpu()
        there = network.codebooks.there().flatten()
        moved = (0, 0.0, 0.0) if self.earlier is None else self.earlier.end(network, index, reader)
        joint, either = (earlier & selected).sum(1), (earlier | selected).sum(1)
        return {
            "keys_in_use": int(selected.sum()),
            "perplexity": float(torch.special.entr(share).sum(1).exp().mean()),
            "dead_keys": int((there & ~self.selected[: index + 1].any(0).cpu()).sum()),
            "quantization_error": _quantization_error(network, reader),
            # Of long streams most of a result file: four digits are enough for a share.
            "overlap": [round(each, 4) for each in (joint / either.clamp(min=1)).tolist()],
            "values_changed": int(changed.sum()),
            "unselected_changed": float((changed & ~selected).sum() / max(1, int((~selected).sum()))),
            "key_bytes": network.keys.nbytes,
            "value_bytes": network.values.weight.nbytes,
            **dict(zip(("keys_moved", "selections_changed", "texts_changed"), moved, strict=True)),
        }


def _quantization_error(network: BottleneckNetwork, reader: TextReader) -> float:
    prefix = FrozenPrefix(network.layout.prefix_pooling)
    batch = next(reader.batches(SAMPLE, prefix=prefix, limit=SAMPLE))
    error = variance = 0.0
    books = network.codebooks
    keys = books.read().cpu()
    for head, asked in enumerate(queries(network, batch)):
        if len(asked.vectors):
            vectors = books.queries(head, asked.vectors).contiguous()
            nearest = keys[head][books.nearest(vectors, head, keys)[:, 0]]
            error += float((vectors - nearest).square().sum())
            variance += float((vectors - vectors.mean(0)).square().sum())
    return error / max(variance, 1e-12)
