"""Where the keys of a bottleneck come from, and when they move."""

from collections import Counter

import pytest
import torch
from support.bottlenecks import LENGTHS, Texts, by_kind, context, layout
from support.naive_dkvb import naive_nearest, naive_queries

from baselines.dkvb import DKVB
from clbench.core.scenario import Experience
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.key_init import KeyInitialization


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
