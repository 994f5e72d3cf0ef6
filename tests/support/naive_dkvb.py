"""The bottleneck written out: one query at a time, in loops over texts, heads, tokens and dimensions."""

from collections import Counter

import torch

from clbench.core.batch import Batch


class States:
    """An encoder whose token states are given: texts are known by the id of their first token."""

    name, hidden_size, fingerprint = "states", 32, "none"

    def __init__(self, count: int, max_tokens: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.states = torch.randn(count, max_tokens, self.hidden_size, generator=generator)

    def frozen_states(self, rows, mask):
        return self.states[rows[:, 0, 0], : rows.shape[1]]

    def batch(self, lengths: list[int], first: int = 0, columns: int = 3, labels: int = 3) -> Batch:
        """Texts of these lengths, as token ids, with the first labels of all columns."""
        count, sizes = len(lengths), torch.tensor(lengths)
        rows = torch.zeros(sum(lengths), 2, dtype=torch.int64)
        rows[sizes.cumsum(0) - sizes, 0] = torch.arange(first, first + count)
        return Batch(
            rows=rows,
            lengths=sizes,
            targets=torch.arange(count) % labels,
            class_mask=torch.ones(count, columns, dtype=torch.bool),
            experience=torch.zeros(count, dtype=torch.int64),
            encoded=False,
        )

    def text(self, index: int, length: int, padding: str) -> torch.Tensor:
        """What of a text counts."""
        return self.states[index] if padding == "reference" else self.states[index, :length]


def naive_nearest(query, keys, count):
    """Indices of the nearest keys, by all distances in double precision."""
    distances = torch.cdist(query[None].double(), keys.double())[0]
    return distances.argsort(stable=True)[:count].tolist()


def naive_queries(layout, projections, text, *, all_tokens=False):
    """Head, slot and vector of each query of one text (n, D)."""
    if layout.segmentation == "hidden":
        if layout.place == "before":
            text = text.mean(0, keepdim=True) if layout.pooling == "mean" else text[:1]
        elif layout.pooling == "cls" and not all_tokens:
            text = text[:1]
        for head in range(layout.heads):
            for state in text:
                if projections is None:
                    size = layout.hidden_size // layout.heads
                    yield head, 0, state[head * size : (head + 1) * size]
                else:
                    yield head, 0, state @ projections[head]
        return
    size = layout.max_tokens // layout.heads
    positions = torch.zeros(layout.max_tokens, layout.hidden_size)
    positions[: len(text)] = text
    for head in range(layout.heads):
        if head * size >= len(text) or (layout.pooling == "cls" and head > 0 and not all_tokens):
            continue
        for dimension in range(layout.hidden_size):
            yield head, dimension, positions[head * size : (head + 1) * size, dimension]


def naive_selection(network, text):
    """Head, slot and value rows of each query of one text."""
    layout = network.layout
    for head, slot, query in naive_queries(layout, network.projections, text):
        nearest = naive_nearest(query, network.keys[head], layout.top_k)
        yield head, slot, [head * layout.keys + key for key in nearest]


def naive_counts(network, text):
    """How often one text selects each value row."""
    return Counter(row for _, _, rows in naive_selection(network, text) for row in rows)


def naive_logits(network, text, values, linear=None):
    """Logits (C,) of one text."""
    layout = network.layout
    selected = [
        (head, slot, torch.stack([values[row] for row in rows]).mean(0))
        for head, slot, rows in naive_selection(network, text)
    ]
    if layout.decoder == "non-parametric":
        return torch.stack([value for _, _, value in selected]).mean(0)
    if layout.segmentation == "hidden":
        heads = [[value for head, _, value in selected if head == each] for each in range(layout.heads)]
        vector = torch.cat([torch.stack(each).mean(0) for each in heads])
    else:
        slots = [[value for _, slot, value in selected if slot == each] for each in range(layout.hidden_size)]
        # (segments, positions): mean over both, or the first position of the first segment
        vector = torch.stack(
            [torch.stack(each).mean() if layout.pooling == "mean" else each[0][0] for each in slots]
        )
    return linear(vector)
