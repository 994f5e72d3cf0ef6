"""What a bottleneck reports about its keys."""

import math
from collections import Counter

import pytest
import torch
from support.bottlenecks import LENGTHS, MAX_TOKENS, Texts, by_kind, context, layout
from support.naive_dkvb import naive_nearest, naive_queries, naive_selection

from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.diagnostics import KeyDiagnostics


class Slice(Texts):
    """Some of the texts, as those of an experience."""

    def __init__(self, encoder, network, places):
        super().__init__(encoder, LENGTHS, network)
        self.places = places

    def batches(self, batch_size, *, prefix=None, limit=None):
        for at in self.places:
            batch = self.encoder.batch([LENGTHS[at]], first=at)
            yield (prefix or self.network.prefix)(self.encoder, batch, MAX_TOKENS)


@pytest.mark.parametrize("top_k", [1, 3])
@by_kind
def test_diagnostics_say_what_is_counted_by_hand(options, top_k, encoder):
    network = BottleneckNetwork(context(encoder), layout(keys=64, top_k=top_k, **options))
    diagnostics = KeyDiagnostics(network, 2)
    earlier: set[int] = set()
    for index, places in enumerate(([0, 1], [2, 3, 4])):
        diagnostics.begin(network)
        reader = Slice(encoder, network, places)
        all_texts = reader.texts(options.get("padding", "masked"))
        texts = [all_texts[at] for at in places]
        uses = Counter(row for text in texts for _, _, rows in naive_selection(network, text) for row in rows)
        moved = [*list(uses)[:5], *[row for row in range(256) if row not in uses][:1]]
        with torch.no_grad():
            network.values.weight[moved] += 1
        said = diagnostics.end(network, index, reader)
        assert said["keys_in_use"] == len(uses)
        assert said["dead_keys"] == 256 - len(set(uses) | earlier)
        assert said["values_changed"] == 6
        assert said["unselected_changed"] == pytest.approx(1 / (256 - len(uses)))
        assert said["key_bytes"] == 4 * 64 * network.layout.key_size * 4
        assert said["value_bytes"] == 4 * 64 * 3 * 4
        assert said["overlap"] == pytest.approx(
            [len(set(uses) & earlier) / len(set(uses) | earlier)] * index, abs=5e-5
        )
        assert said["perplexity"] == pytest.approx(naive_perplexity(uses), rel=1e-5)
        earlier |= set(uses)


def naive_perplexity(uses, heads=4, keys=64):
    found = []
    for head in range(heads):
        mine = [uses[row] for row in range(head * keys, (head + 1) * keys) if uses[row]]
        entropy = -sum(use / sum(mine) * math.log(use / sum(mine)) for use in mine)
        found.append(math.exp(entropy))
    return sum(found) / heads


@by_kind
def test_the_quantization_error_is_a_share_of_the_variance_of_what_selects(options, encoder):
    network = BottleneckNetwork(context(encoder), layout(**options))
    reader = Texts(encoder, LENGTHS, network)
    error = variance = 0.0
    texts = reader.texts(options.get("padding", "masked"))
    queries = [each for text in texts for each in naive_queries(network.layout, network.projections, text)]
    for head in range(4):
        mine = [vector for at, _, vector in queries if at == head]
        if mine:
            mean = sum(mine) / len(mine)
            for vector in mine:
                nearest = network.keys[head][naive_nearest(vector, network.keys[head], 1)[0]]
                error += float((vector - nearest).square().sum())
                variance += float((vector - mean).square().sum())
    diagnostics = KeyDiagnostics(network, 1)
    diagnostics.begin(network)
    said = diagnostics.end(network, 0, reader)
    assert said["quantization_error"] == pytest.approx(error / variance, rel=1e-4)
