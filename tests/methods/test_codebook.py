"""Codebooks: nearest keys, moving averages, where keys come from and what is said about them."""

import math
from collections import Counter

import pytest
import torch
from support.naive_dkvb import States, naive_nearest, naive_queries, naive_selection
from test_dkvb import LENGTHS, MAX_TOKENS, context, layout

from baselines.dkvb import DKVB
from clbench.core.scenario import Experience
from clbench.methods.dkvb import codebook
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.codebook import move_keys, nearest_in_chunks, nearest_keys
from clbench.methods.dkvb.diagnostics import KeyDiagnostics
from clbench.methods.dkvb.key_init import KeyInitialization


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch):
    """The way that queries take on a GPU, without one."""
    if request.param == "cuda":
        monkeypatch.setattr(codebook, "compute_device", lambda: torch.device("cuda"))
        monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [1, 4, 12, 33])
def test_nearest_keys_are_those_of_all_distances(size, count):
    keys, queries = random(50, size), random(200, size, seed=1)
    expected = torch.tensor([naive_nearest(query, keys, count) for query in queries])
    assert torch.equal(nearest_keys(queries, keys, count), expected)
    assert torch.equal(nearest_in_chunks(queries, keys, count, chunk=32), expected)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("copies", [2, 5])
def test_of_equal_keys_those_of_lowest_index_are_nearest(copies, count):
    for seed in range(10):
        order = torch.randperm(20 * copies, generator=torch.Generator().manual_seed(seed))
        keys, queries = random(20, 8, seed=seed).repeat(copies, 1)[order], random(40, 8, seed=99 + seed)
        expected = torch.tensor([naive_nearest(query, keys, count) for query in queries])
        assert torch.equal(nearest_keys(queries, keys, count), expected)
        if count == 1:
            assert torch.equal(nearest_in_chunks(queries, keys), expected)


@pytest.mark.usefixtures("device")
def test_keys_that_are_all_equal_are_chosen_in_order_and_no_queries_choose_none():
    assert nearest_keys(random(5, 4), torch.ones(9, 4), 3).tolist() == [[0, 1, 2]] * 5
    assert nearest_keys(random(0, 4), torch.ones(9, 4), 3).shape == (0, 3)


def test_keys_move_to_the_mean_of_their_queries_and_unused_ones_stay():
    keys = torch.tensor([[0.0, 0.0], [10.0, 0.0], [99.0, 99.0]])
    move_keys(keys, torch.tensor([[1.0, 0.0], [0.0, 1.0], [12.0, 0.0]]), decay=0.2)
    expected = torch.tensor([[0.1, 0.1], [10.4, 0.0], [99.0, 99.0]])  # 0.8 key + 0.2 mean
    torch.testing.assert_close(keys, expected)


def test_as_in_the_public_code_keys_move_to_the_sum_of_their_queries_and_unused_ones_shrink():
    keys = torch.tensor([[0.0, 0.0], [10.0, 0.0], [99.0, 99.0]])
    move_keys(keys, torch.tensor([[1.0, 0.0], [0.0, 1.0], [12.0, 0.0]]), 0.2, "reference")
    expected = torch.tensor([[0.2, 0.2], [10.4, 0.0], [79.2, 79.2]])  # 0.8 key + 0.2 sum
    torch.testing.assert_close(keys, expected)


def test_without_queries_keys_stay_and_in_the_public_code_shrink():
    for update, factor in (("mean", 1.0), ("reference", 0.75)):
        keys = random(6, 3)
        move_keys(keys, torch.empty(0, 3), 0.25, update)
        torch.testing.assert_close(keys, factor * random(6, 3))


# -- where keys come from ------------------------------------------------------------------------------


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


@pytest.fixture
def encoder():
    torch.set_num_threads(1)  # so small tensors gain nothing from more
    return States(len(LENGTHS), MAX_TOKENS)


def asked(network, text):
    """Head and vector of every query that keys are made for: also of tokens that CLS pooling leaves out."""
    found = naive_queries(network.layout, network.projections, text, all_tokens=True)
    return [(head, vector) for head, _, vector in found]


def naive_keys(network, texts, epochs, batch_size, decay, update):
    keys = network.keys.clone()
    for _ in range(epochs):
        for begin in range(0, len(texts), batch_size):
            some = [query for text in texts[begin : begin + batch_size] for query in asked(network, text)]
            old = keys.clone()
            for head in range(len(keys)):
                mine = [vector for at, vector in some if at == head]
                chosen = [naive_nearest(vector, old[head], 1)[0] for vector in mine]
                for key in range(keys.shape[1]):
                    assigned = [vector for vector, each in zip(mine, chosen, strict=True) if each == key]
                    if update == "reference":
                        target = sum(assigned, torch.zeros_like(old[head, key]))
                    elif assigned:
                        target = sum(assigned) / len(assigned)
                    else:
                        continue
                    keys[head, key] = (1 - decay) * old[head, key] + decay * target
    return keys


@pytest.mark.parametrize("update", ["mean", "reference"])
@by_kind
def test_keys_are_moving_averages_of_the_queries_nearest_to_them(options, update, encoder):
    network = BottleneckNetwork(context(encoder), layout(**options))
    reader = Texts(encoder, LENGTHS, network)
    texts = reader.texts(options.get("padding", "masked"))
    expected = naive_keys(network, texts, 2, 3, 0.3, update)
    values = network.values.weight.detach().clone()
    KeyInitialization(2, 3, 0.3, update, "reference").apply(network, reader, torch.Generator())
    torch.testing.assert_close(network.keys, expected, atol=1e-5, rtol=0)
    assert torch.equal(network.values.weight, values)


@pytest.mark.parametrize("keys", [8, 100])
@by_kind
def test_keys_start_at_queries_and_each_query_about_equally_often(options, keys, encoder):
    network = BottleneckNetwork(context(encoder), layout(keys=keys, **options))
    reader = Texts(encoder, LENGTHS, network)
    texts = reader.texts(options.get("padding", "masked"))
    untouched = network.keys.clone()
    KeyInitialization(0, 2).apply(network, reader, torch.Generator().manual_seed(0))
    for head in range(4):
        # At most four batches of texts are looked at; with pooling before, as many as there are keys.
        vectors = [vector for text in texts for at, vector in asked(network, text) if at == head]
        if not vectors:
            assert torch.equal(network.keys[head], untouched[head])  # no text reaches this segment
            continue
        close = torch.cdist(network.keys[head].double(), torch.stack(vectors).double())
        assert close.min(1).values.max() < 1e-5
        used = Counter(close.argmin(1).tolist())
        often = [used[at] for at in range(len(vectors))]
        distinct = len({tuple(vector.tolist()) for vector in vectors}) == len(vectors)
        assert not distinct or max(often) - min(often) <= 1


def test_the_start_is_drawn_by_the_generator(encoder):
    drawn = []
    for seed in (0, 0, 1):
        network = BottleneckNetwork(context(encoder), layout())
        reader = Texts(encoder, LENGTHS, network)
        KeyInitialization(0).apply(network, reader, torch.Generator().manual_seed(seed))
        drawn.append(network.keys.clone())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_incremental_keys_go_on_from_where_they_are(encoder):
    network = BottleneckNetwork(context(encoder), layout())
    reader = Texts(encoder, LENGTHS, network)
    initialization = KeyInitialization(2, 3, 0.3)
    initialization.apply(network, reader, torch.Generator())
    expected = naive_keys(network, reader.texts(), 2, 3, 0.3, "mean")
    initialization.apply(network, reader, torch.Generator(), first=False)
    torch.testing.assert_close(network.keys, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("initialization", "epochs"), [("oracle", 3), ("generic", 1), ("random", 0)])
def test_a_learner_makes_its_keys_once_in_as_many_passes_as_the_paper(initialization, epochs, encoder):
    learner = DKVB(context(encoder), heads=4, keys=16, initialization=initialization, start="reference")
    reader = Texts(encoder, LENGTHS, learner.network)
    expected = naive_keys(learner.network, reader.texts(), epochs, 256, 0.2, "mean")
    learner.begin_stream(reader)
    torch.testing.assert_close(learner.network.keys, expected, atol=1e-5, rtol=0)
    made = learner.network.keys.clone()
    learner.begin_experience(Experience(0, "first", (), {}), reader)
    assert torch.equal(learner.network.keys, made)


def test_a_learner_with_incremental_keys_moves_them_three_passes_at_each_experience(encoder):
    learner = DKVB(context(encoder), heads=4, keys=16, initialization="incremental")
    assert learner.info.reads_at_start is None
    reader = Texts(encoder, LENGTHS, learner.network)
    learner.begin_experience(Experience(0, "first", (), {}), reader)
    expected = naive_keys(learner.network, reader.texts(), 3, 256, 0.2, "mean")
    learner.begin_experience(Experience(1, "second", (), {}), reader)
    torch.testing.assert_close(learner.network.keys, expected, atol=1e-5, rtol=0)


def test_keys_of_one_shape_are_never_remembered_for_another(encoder):
    """K x D normal numbers are the same ones however they are cut into heads."""
    addresses = []
    for shape in ({"heads": 4}, {"heads": 8}, {"heads": 2}, {"heads": 8, "segmentation": "token"}):
        network = BottleneckNetwork(context(encoder), layout(**shape))
        reader = Texts(encoder, LENGTHS, network)
        KeyInitialization(1).apply(network, reader, torch.Generator().manual_seed(0))
        addresses += reader.addresses
    assert len(set(addresses)) == 4


def test_keys_are_remembered_under_all_that_they_depend_on(encoder):
    addresses = []
    for options, first, seed in (
        ({}, True, 0),
        ({}, False, 0),
        ({}, True, 1),
        *(
            ({name: value}, True, 0)
            for name, value in {
                "epochs": 2,
                "batch_size": 2,
                "decay": 0.5,
                "update": "reference",
                "start": "reference",
            }.items()
        ),
    ):
        network = BottleneckNetwork(context(encoder), layout())
        reader = Texts(encoder, LENGTHS, network)
        generator = torch.Generator().manual_seed(seed)
        KeyInitialization(**{"epochs": 1, **options}).apply(network, reader, generator, first=first)
        addresses += reader.addresses
    network = BottleneckNetwork(context(encoder, seed=1), layout())  # other keys to begin with
    reader = Texts(encoder, LENGTHS, network)
    KeyInitialization(1).apply(network, reader, torch.Generator().manual_seed(0))
    addresses += reader.addresses
    assert len(set(addresses)) == len(addresses) == 9

    class Remembers(Texts):
        def remembered(self, address, make):
            return {"keys": torch.full_like(network.keys, 7.0)}

    KeyInitialization(1).apply(network, Remembers(encoder, LENGTHS, network), torch.Generator())
    assert (network.keys == 7).all()


# -- diagnostics ---------------------------------------------------------------------------------------


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
        assert said["overlap"] == pytest.approx([len(set(uses) & earlier) / len(set(uses) | earlier)] * index)
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
