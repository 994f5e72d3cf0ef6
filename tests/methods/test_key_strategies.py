"""What keys do along a stream: each rule against a loop over single queries, and what it leaves alone."""

import copy
import math

import pytest
import torch
from support.bottlenecks import LENGTHS, MAX_TOKENS, Texts, context
from support.naive_dkvb import naive_nearest, naive_queries

from baselines.dkvb import DKVB
from clbench.core.errors import UserError
from clbench.core.scenario import Experience
from clbench.methods.dkvb.strategies import MOVING
from clbench.methods.dkvb.strategies.averages import average
from clbench.methods.dkvb.strategies.growth import grown
from clbench.methods.dkvb.strategies.hardening import harden
from clbench.methods.dkvb.strategies.normalization import follow
from clbench.methods.dkvb.strategies.unused import clear, use

FIRST, SECOND = (Experience(at, str(at), (), {}) for at in range(2))
COUNT, SIZE = 12, 3


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generator():
    return torch.Generator().manual_seed(3)


def mine(keys, queries):
    """For each key, the queries nearest to it."""
    nearest = [naive_nearest(query, keys, 1)[0] for query in queries]
    return [
        [query for query, at in zip(queries, nearest, strict=True) if at == key] for key in range(len(keys))
    ]


class Part(Texts):
    """Some of the texts, moved away from the others."""

    def __init__(self, encoder, network, places, shift=0.0):
        super().__init__(encoder, LENGTHS, network)
        self.places, self.shift = places, shift

    def batches(self, batch_size, *, prefix=None, limit=None):
        for at in self.places[:limit]:
            batch = self.encoder.batch([LENGTHS[at]], first=at)
            self.encoder.states[at] += self.shift
            yield (prefix or self.network.prefix)(self.encoder, batch, MAX_TOKENS)
            self.encoder.states[at] -= self.shift

    def whole(self):
        """All of them as one batch of selections."""
        return [next(Part(self.encoder, self.network, [at], self.shift).batches(1)) for at in self.places]


def learner(encoder, strategy, **more):
    room = {"growth": 40} if strategy == "grow" else {}
    given = {"heads": 4, "keys": 16, "initialization": "incremental", "strategy": strategy, **room, **more}
    return DKVB(context(encoder), **given)


def begun(encoder, strategy, **more):
    """A learner after its first experience, whose values are no zeros, and its reader."""
    made = learner(encoder, strategy, **more)
    reader = Part(encoder, made.network, [0, 2])
    made.begin_experience(FIRST, reader)
    with torch.no_grad():
        made.network.values.weight.copy_(drawn(*made.network.values.weight.shape, seed=7))
    made.end_experience(FIRST, reader)
    return made, reader


# -- formulas ------------------------------------------------------------------------------------------


def test_averages_are_sums_over_counts_and_a_dead_key_goes_to_a_query():
    keys, queries, numbers = drawn(COUNT, SIZE), drawn(40, SIZE, seed=1), 4 * drawn(COUNT, seed=2).abs()
    moved, counts = keys.clone(), numbers.clone()
    dead = average(moved, counts, queries, 0.2, generator())
    expected = []
    for key, own in enumerate(mine(keys, queries)):
        total = 0.8 * numbers[key] + 0.2 * len(own)
        sums = 0.8 * numbers[key] * keys[key] + 0.2 * sum(own, torch.zeros(SIZE))
        expected.append((sums / total, total))
    alive = [key for key, (_, total) in enumerate(expected) if total >= 2]
    assert 2 < len(alive) < COUNT - 2
    assert (~dead).nonzero()[:, 0].tolist() == alive
    for key in alive:
        torch.testing.assert_close(moved[key], expected[key][0])
        torch.testing.assert_close(counts[key], expected[key][1])
    assert (counts[dead] == 2).all()
    assert all((queries == key).all(1).any() for key in moved[dead])
    again = keys.clone()
    average(again, numbers.clone(), queries, 0.2, generator())
    assert torch.equal(again, moved)


def test_hardening_is_the_running_mean_of_one_query_after_the_other():
    keys, queries = drawn(COUNT, SIZE), drawn(40, SIZE, seed=1)
    numbers = torch.arange(COUNT).float()
    moved, counts = keys.clone(), numbers.clone()
    harden(moved, counts, queries)
    for key, own in enumerate(mine(keys, queries)):
        place, number = keys[key].clone(), float(numbers[key])
        for query in own:
            number += 1
            place += (query - place) / number
        torch.testing.assert_close(moved[key], place)
        assert counts[key] == number


def test_keys_hardly_used_go_to_queries_and_those_in_use_stay():
    keys, queries = drawn(COUNT, SIZE), drawn(40, SIZE, seed=1)
    idle = min(range(COUNT), key=lambda key: len(mine(keys, queries)[key]))
    usage = torch.full((COUNT,), 0.05)
    usage[idle] = 1e-5
    moved, share = keys.clone(), usage.clone()
    use(moved, share, queries, generator())
    picks = torch.randint(len(queries), (COUNT,), generator=generator())
    for key, own in enumerate(mine(keys, queries)):
        now = 0.99 * usage[key] + 0.01 * len(own) / len(queries)
        torch.testing.assert_close(share[key], now, check_dtype=False)
        far = math.exp(-10 * COUNT * float(now) / 0.01 - 1e-3)
        torch.testing.assert_close(moved[key], (1 - far) * keys[key] + far * queries[picks[key]])
    assert (moved != keys).any(1).nonzero()[:, 0].tolist() == [idle]


def test_places_are_clear_of_keys_by_all_distances():
    places, keys, reach = drawn(1500, SIZE), drawn(COUNT, SIZE, seed=1), drawn(COUNT, seed=2).abs()
    expected = [
        all((place - key).norm() > far for key, far in zip(keys, reach, strict=True)) for place in places
    ]
    assert 0 < sum(expected) < len(expected)
    assert clear(places, keys, reach).tolist() == expected


def test_queries_follow_running_means_and_squares():
    running, vectors = drawn(2, 2, SIZE).abs(), [drawn(9, SIZE, seed=1), drawn(4, SIZE, seed=2)]
    moved = running.clone()
    follow(moved, vectors, 0.2)
    for head, each in enumerate(vectors):
        for size in range(SIZE):
            mean = sum(float(query[size]) for query in each) / len(each)
            square = sum(float(query[size]) ** 2 for query in each) / len(each)
            assert moved[0, head, size] == pytest.approx(0.8 * float(running[0, head, size]) + 0.2 * mean)
            assert moved[1, head, size] == pytest.approx(0.8 * float(running[1, head, size]) + 0.2 * square)


@pytest.mark.parametrize("room", [0, 3, 100])
def test_a_query_far_from_all_keys_and_from_new_ones_becomes_a_key(room):
    keys, queries = drawn(COUNT, SIZE), 2 * drawn(60, SIZE, seed=1)
    expected = []
    for query in queries:
        far = all((query - key).norm() > 1.5 for key in (*keys, *expected))
        if far and len(expected) < room:
            expected.append(query)
    new = grown(keys, queries, 1.5, room)
    assert len(new) == min(room, len(new)) == len(expected)
    assert len(expected) > 3 or room <= 3
    assert all(torch.equal(one, other) for one, other in zip(new, expected, strict=True))


# -- learners ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("initialization", ["oracle", "generic", "random"])
def test_keys_stay_by_default_and_so_does_what_a_learner_holds(initialization, encoder):
    """Bit for bit: strategies draw nothing and keep nothing where keys are frozen."""
    made = DKVB(context(encoder), heads=4, keys=16, initialization=initialization)
    assert made.moving is None
    reader = Part(encoder, made.network, [0, 2])
    made.begin_stream(reader)
    keys, values = made.network.keys.clone(), made.network.values.weight.clone()
    state = made.generator.get_state()
    for experience in (FIRST, SECOND):
        made.begin_experience(experience, Part(encoder, made.network, [1, 4], 3.0))
        made.end_experience(experience, reader)
    assert torch.equal(made.network.keys, keys)
    assert torch.equal(made.network.values.weight, values)
    assert torch.equal(made.generator.get_state(), state)
    named = {name for name, _ in made.named_buffers()}
    assert named == {
        "network.codebooks.keys", "network.values.mass", "diagnostics.selected", "diagnostics.before"
    }  # fmt: skip


@pytest.mark.parametrize("moved", ["stay", "carry"])
@pytest.mark.parametrize("strategy", MOVING)
def test_the_first_experience_moves_nothing_and_the_second_does(strategy, moved, encoder):
    made, _ = begun(encoder, strategy, moved=moved)
    frozen = learner(encoder, "frozen")
    frozen.begin_experience(FIRST, Part(encoder, frozen.network, [0, 2]))
    there = made.network.codebooks.there()
    assert torch.equal(made.network.keys[there], frozen.network.keys.flatten(0, 1))
    before, values = copy.deepcopy(made.network.codebooks), made.network.values.weight.detach().clone()
    made.begin_experience(SECOND, Part(encoder, made.network, [1, 4], 3.0))
    places = made.network.codebooks.moved(before)
    assert places.any() == (strategy != "normalize")
    earlier = before.read()
    for head, key in places.nonzero().tolist():
        size = before.size(head)
        nearest = naive_nearest(made.network.keys[head, key], earlier[head, :size], 1)[0]
        now = made.network.values.weight[head * made.network.layout.keys + key]
        own = values.view(4, -1, 3)[head, key]
        if moved == "carry":
            assert torch.equal(now, values.view(4, -1, 3)[head, nearest])
        elif strategy == "ema":
            assert torch.equal(now, own) or not now.any()
        else:
            assert torch.equal(now, own)
    rest = ~places.flatten()
    assert torch.equal(made.network.values.weight[rest], values[rest])


def test_a_dead_key_loses_its_value_unless_values_are_carried(encoder):
    made, _ = begun(encoder, "ema", keys=64)
    made.network.values.mass.fill_(1)
    made.begin_experience(SECOND, Part(encoder, made.network, [1, 4], 3.0))
    cleared = ~made.network.values.weight.any(1)
    assert cleared.sum() > 4
    assert torch.equal(made.network.values.mass == 0, cleared)


@pytest.mark.parametrize("top_k", [1, 3])
@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_moving_only_unused_keys_leaves_every_earlier_selection_as_it_was(shift, top_k, encoder):
    made, reader = begun(encoder, "unused", keys=256, top_k=top_k)
    before, keys = reader.whole(), made.network.keys.clone()
    made.begin_experience(SECOND, Part(encoder, made.network, [1, 3, 4], shift))
    assert shift < 3 or not torch.equal(made.network.keys, keys)
    for one, other in zip(before, reader.whole(), strict=True):
        assert torch.equal(one.rows, other.rows)
    made.begin_experience(SECOND, Part(encoder, made.network, [1, 3, 4], -2 * shift))
    for one, other in zip(before, reader.whole(), strict=True):
        assert torch.equal(one.rows, other.rows)


def test_without_the_guard_a_key_that_moves_takes_over_what_earlier_texts_select(encoder):
    made, reader = begun(encoder, "cvq", keys=256)
    before = reader.whole()
    made.begin_experience(SECOND, Part(encoder, made.network, [1, 3, 4], 0.0))
    assert any(
        not torch.equal(one.rows, other.rows) for one, other in zip(before, reader.whole(), strict=True)
    )


@pytest.mark.parametrize("moved", ["stay", "carry"])
def test_growth_leaves_the_logits_of_texts_that_select_no_new_key(moved, encoder):
    made, reader = begun(encoder, "grow", moved=moved)
    network = made.network
    assert (network.codebooks.sizes == 16).all()
    network.eval()
    before = [(each.rows, network(each)) for each in reader.whole()]
    made.begin_experience(SECOND, Part(encoder, network, [1, 4], 3.0))
    assert (network.codebooks.sizes > 16).any()
    assert (network.codebooks.sizes <= 56).all()
    unaffected = 0
    for (rows, logits), other in zip(before, reader.whole(), strict=True):
        if torch.equal(rows, other.rows):
            assert torch.equal(network(other), logits)
            unaffected += 1
    assert unaffected
    shifted = Part(encoder, network, [1, 4], 3.0).whole()
    new = torch.cat([each.rows[:, 0] for each in shifted]) % network.layout.keys >= 16
    assert new.float().mean() > 0.5


def test_far_is_beyond_all_but_a_hundredth_of_the_distances_of_the_first_experience(encoder):
    made, _ = begun(encoder, "grow")
    texts = [encoder.text(at, LENGTHS[at], "masked") for at in (0, 2)]
    for head in range(4):
        distances = sorted(
            float((made.network.keys[head, :16] - query).norm(dim=1).min())
            for text in texts
            for at, _, query in naive_queries(made.network.layout, None, text)
            if at == head
        )
        assert float(made.moving.reach[head]) == pytest.approx(
            distances[int(0.99 * (len(distances) - 1))], rel=1e-5
        )


def test_queries_of_a_moved_experience_are_normalized_to_those_of_the_first(encoder):
    made, _ = begun(encoder, "normalize", decay=1.0)
    same = [0, 2]
    made.begin_experience(SECOND, Part(encoder, made.network, same[1:], 5.0))
    books, size = made.network.codebooks, 8
    first = torch.cat([encoder.states[at, : LENGTHS[at]] for at in same])
    now = encoder.states[2, : LENGTHS[2]] + 5  # the running statistics are those of the last batch
    for head in range(4):
        one, other = (each[:, head * size : (head + 1) * size] for each in (first, now))
        expected = (other - other.mean(0)) / other.std(0, correction=0) * one.std(0, correction=0)
        torch.testing.assert_close(books.queries(head, other), expected + one.mean(0), atol=1e-3, rtol=1e-3)


def test_growth_and_its_room_go_together(encoder):
    for options in ({"strategy": "grow"}, {"growth": 3}, {"strategy": "ema", "growth": 3}):
        with pytest.raises(UserError, match="strategy grow needs"):
            DKVB(context(encoder), heads=4, keys=16, **options)


# -- diagnostics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["average", "ema", "cvq", "unused", "normalize", "grow", "harden"])
def test_diagnostics_count_what_moved_and_which_earlier_selections_changed(strategy, encoder):
    made, reader = begun(encoder, strategy)
    network = made.network
    said = made.diagnose(FIRST, reader)
    assert (said["keys_moved"], said["selections_changed"], said["texts_changed"]) == (0, 0, 0)

    def selections():
        keys, books = network.codebooks.read(), network.codebooks
        return [
            naive_nearest(books.queries(head, query), keys[head, : books.size(head)], 1)
            # A reader here has one text to a batch, and a sample is one batch.
            for head, _, query in naive_queries(network.layout, None, encoder.states[0, : LENGTHS[0]])
        ]

    before, keys = selections(), network.keys.clone()
    later = Part(encoder, network, [1, 4], 0.7)
    made.begin_experience(SECOND, later)
    said = made.diagnose(SECOND, later)
    changed = sum(one != other for one, other in zip(before, selections(), strict=True))
    assert said["selections_changed"] == pytest.approx(changed / len(before))
    assert said["texts_changed"] == bool(changed)
    assert changed or strategy in ("cvq", "unused", "grow")
    assert not changed or strategy not in ("unused", "grow")
    assert said["keys_moved"] == int((network.keys != keys).any(2).sum())
