"""Small bottlenecks of every layout, and readers over the texts of ``States``."""

import pytest
from support.naive_dkvb import States

from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.layout import Layout
from clbench.models.context import RunContext

MAX_TOKENS = 16
LENGTHS = [9, 3, 14, 1, 8]  # 4 heads: segments of 4 tokens, and two texts are shorter than one
CHOICES = {
    "segmentation": ("hidden", "token"),
    "pooling": ("mean", "cls"),
    "place": ("before", "after"),
    "decoder": ("non-parametric", "parametric"),
    "padding": ("masked", "reference"),
    "top_k": (1, 3),
    "projection": (0, 5),
}
KINDS = {
    "hidden": {},
    "projection": {"projection": 5},
    "before": {"place": "before"},
    "cls-before": {"place": "before", "pooling": "cls"},
    "cls-after": {"pooling": "cls"},
    "token": {"segmentation": "token"},
    "padding": {"padding": "reference"},
    "padding-before": {"padding": "reference", "place": "before"},
    "padding-token": {"padding": "reference", "segmentation": "token"},
}
by_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


def layout(**options) -> Layout:
    plain = {key: values[0] for key, values in CHOICES.items()} | {"place": "after"}
    sizes = {"heads": 4, "keys": 16, "hidden_size": 32, "max_tokens": MAX_TOKENS}
    return Layout(**{**plain, **sizes, **options})


def context(encoder, **options) -> RunContext:
    fixed = {"columns": 3, "experiences": 2, "max_tokens": MAX_TOKENS, "tuning": "frozen"}
    return RunContext(encoder=encoder, **{**fixed, **options})


class Texts:
    """A reader over the texts of ``States``."""

    def __init__(self, encoder: States, lengths: list[int], network: BottleneckNetwork) -> None:
        self.encoder, self.lengths, self.network = encoder, lengths, network
        self.addresses: list[str] = []

    def batches(self, batch_size, *, prefix=None, limit=None):
        prefix = prefix or self.network.prefix
        for begin in range(0, min(limit or len(self.lengths), len(self.lengths)), batch_size):
            batch = self.encoder.batch(self.lengths[begin : begin + batch_size], first=begin)
            yield prefix(self.encoder, batch, MAX_TOKENS)

    def remembered(self, address, make):
        self.addresses.append(address)
        return make()

    def texts(self, padding="masked"):
        return [self.encoder.text(at, length, padding) for at, length in enumerate(self.lengths)]
