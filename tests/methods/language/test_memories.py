"""The memories of a language model against plain forms in dictionaries and loops."""

import math
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.language_runs import language_run

from clbench.engine.language_scoring import likelihoods
from clbench.engine.loop import execute
from clbench.methods.language.counts import CountTable
from clbench.methods.language.memory import WEIGHTS

METHODS = {
    "frozenlm": {},
    "knnlm": {"capacity": 4000, "neighbors": 8},
    "dkvbcounts": {"heads": 2, "keys": 16, "capacity": 2000},
    "dkvbvalues": {"heads": 2, "keys": 16},
}
MEMORIES = ("knnlm", "dkvbcounts")


def made(folder, name, **options):
    arguments = METHODS[name] | options.pop("arguments", {})
    return language_run(folder, name, options.pop("results", name), arguments=arguments, **options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memories")
    found = {name: made(folder, name) for name in METHODS}
    for run in found.values():
        execute(run)
    return folder, found


def batch_of(run, stage=0, size=4):
    run.learner.eval()
    return next(run.data.reader(stage).batches(size))


def states_of(run, batch):
    size = run.learner.network.source.hidden_size
    return batch.rows[:, :size]


@contextmanager
def choosing(network, setting, weight):
    """Another setting and weight than those that held-out texts chose."""
    kept = network.scores.clone()
    network.scores.fill_(-2.0)
    network.scores[network.settings.index(setting), WEIGHTS.index(weight)] = -1.0
    assert network.chosen == (setting, weight)
    yield
    network.scores.copy_(kept)


@pytest.mark.parametrize("name", MEMORIES)
def test_memories_lower_the_bits_of_every_learned_domain(runs, name):
    language = runs[1][name].result.language
    assert language["untrained"] == runs[1]["frozenlm"].result.language["untrained"]
    for row in range(3):
        for column in range(row + 1):
            assert language["bits_per_byte"][row][column] < language["untrained"][column] - 0.2


def test_the_frozen_model_stays_as_it_is(runs):
    result = runs[1]["frozenlm"].result
    assert result.language["bits_per_byte"] == [result.language["untrained"]] * 3
    assert result.metrics["forgetting_bits"] == result.metrics["general_rise_bits"] == 0
    assert result.costs["carried_bytes"]["total"] == 0


@pytest.mark.parametrize("name", MEMORIES)
def test_the_mixture_sums_to_one_and_agrees_with_the_probability_of_a_token(runs, name):
    run = runs[1][name]
    network, batch = run.learner.network, batch_of(run)
    other = runs[1]["knnlm"]
    states = states_of(other, batch_of(other))  # the same texts
    whole = network.distribution(states)
    assert torch.allclose(whole.exp().sum(1), torch.ones(len(states)), atol=1e-5)
    own = network.log_likelihoods(batch)
    assert torch.allclose(whole.gather(1, network.targets(batch)[:, None])[:, 0], own, atol=1e-4)


@pytest.mark.parametrize(("temperature", "weight"), [(0.1, 0.3), (0.5, 0.8)])
def test_knn_lm_is_that_of_a_loop_over_all_entries(runs, temperature, weight):
    run = runs[1]["knnlm"]
    network, batch = run.learner.network, batch_of(run, size=2)
    seen = int(network.seen)
    texts = [each for part in run.stream.experiences for each in part.splits["train"][:]["text"]]
    assert seen == sum(min(len(text), 24) - 1 for text in texts)
    with choosing(network, temperature, weight):
        found = network.log_likelihoods(batch)
    for row, value in zip(batch.rows, found, strict=True):
        pairs = zip(network.keys[:seen], network.tokens[:seen], strict=True)
        distances = [(float((row[:-2] - key.float()).square().sum()), int(token)) for key, token in pairs]
        nearest = sorted(distances)[:8]
        unit = sum(distance for distance, _ in nearest) / 8
        votes = defaultdict(float)
        for distance, token in nearest:
            votes[token] += math.exp(-distance / unit / temperature)
        share = votes[int(row[-2])] / sum(votes.values())
        expected = math.log((1 - weight) * math.exp(row[-1]) + weight * share)
        assert math.isclose(value, expected, abs_tol=2e-3)


def test_a_full_datastore_is_a_uniform_sample(tmp_path):
    network = made(tmp_path, "knnlm", arguments={"capacity": 20}).learner.network
    generator, hits = torch.Generator().manual_seed(0), Counter()
    for _ in range(300):
        network.seen.zero_()
        for part in (torch.arange(50), torch.arange(50, 80)):
            rows = torch.zeros(len(part), 34)
            rows[:, -2] = part
            network.observe(rows, generator)
        assert len(set(network.tokens.tolist())) == 20
        hits.update(network.tokens.tolist())
    shares = np.array([hits[token] for token in range(80)]) / 300
    assert abs(shares[:50].mean() - 0.25) < 0.02
    assert abs(shares[50:].mean() - 0.25) < 0.02
    assert shares.min() > 0.12
    assert shares.max() < 0.4


@pytest.mark.parametrize(("prior", "weight"), [(4.0, 0.3), (64.0, 0.8)])
def test_counts_are_those_of_a_dictionary(runs, prior, weight):
    run = runs[1]["dkvbcounts"]
    network = run.learner.network
    counts, totals = Counter(), Counter()
    other = runs[1]["knnlm"]  # its rows hold the states of the same texts
    for stage in range(3):
        for row in batch_of(other, stage, 100).rows:
            for head in range(2):
                part, keys = row[16 * head : 16 * head + 16], network.keys.keys[head]
                key = head * 16 + int((keys - part).square().sum(1).argmin())
                counts[key, int(row[-2])] += 1
                totals[key] += 1
    found = {
        divmod(code, network.table.columns): count
        for code, count in zip(network.table.codes.tolist(), network.table.counts.tolist(), strict=True)
        if count
    }
    assert found == dict(counts)
    batch = batch_of(run)
    with choosing(network, prior, weight):
        values = network.log_likelihoods(batch)
    for row, value in zip(batch.rows, values, strict=True):
        frozen, token = math.exp(row[-1]), int(row[-2])
        shares = [(counts[int(key), token] + prior * frozen) / (totals[int(key)] + prior) for key in row[:2]]
        expected = math.log((1 - weight) * frozen + weight * sum(shares) / 2)
        assert math.isclose(value, expected, abs_tol=1e-4)


def test_counts_do_not_depend_on_the_order_of_domains(runs):
    folder, found = runs
    other = made(folder, "dkvbcounts", order="random:1", results="other")
    execute(other)
    names = [[each.name for each in run.stream.experiences] for run in (other, found["dkvbcounts"])]
    assert names[0] != names[1]
    for name in ("codes", "counts", "totals"):
        mine = getattr(other.learner.network.table, name)
        assert torch.equal(mine, getattr(found["dkvbcounts"].learner.network.table, name))


def test_a_full_table_keeps_the_highest_counts():
    table = CountTable(3, 4, 10)
    rows, columns = torch.tensor([0, 1, 1, 2, 3, 3, 3, 0]), torch.tensor([5, 1, 1, 9, 0, 0, 0, 5])
    table.add(rows, columns)
    assert table.codes.tolist() == [5, 11, 30]
    assert table.counts.tolist() == [2, 2, 3]
    assert table.totals.tolist() == [2, 2, 0, 3]
    table.add(torch.tensor([2, 2, 2]), torch.tensor([9, 9, 9]))
    assert table.codes.tolist() == [5, 29, 30]
    assert table.counts.tolist() == [2, 3, 3]
    assert table.at(torch.tensor([[2, 1]]), torch.tensor([[9, 1]])).tolist() == [[3, 0]]
    assert table.row(3).tolist() == [3, *[0] * 9]


@pytest.mark.parametrize("name", MEMORIES)
def test_setting_and_weight_are_the_best_on_held_out_texts(tmp_path, name):
    run = made(tmp_path, name)
    network, learner = run.learner.network, run.learner
    if name == "dkvbcounts":
        from clbench.engine.loop import begin_stream

        begin_stream(run)
    reader, held = run.data.reader(0), next(run.data.reader(0).batches(2))
    rest = list(run.data.reader(0).batches(2))[1:]
    for each in rest:
        network.observe(each.rows, torch.Generator().manual_seed(0))
    sums = np.zeros_like(network.scores.numpy())
    evidence, frozen = network.evidence(held.rows), held.rows[:, -1].exp()
    for place, setting in enumerate(network.settings):
        found = network.probability(evidence, network.targets(held), frozen, setting)
        for column, weight in enumerate(WEIGHTS):
            sums[place, column] = ((1 - weight) * frozen + weight * found).log().sum()
    other = made(tmp_path, name, results="other").learner
    other.network.load_state_dict(
        {
            **network.state_dict(),
            **{key: value for key, value in other.network.state_dict().items() if "keys.keys" not in key},
        }
    )
    other.end_experience(run.stream.experiences[0], reader)
    assert np.allclose(other.network.scores.numpy(), sums, rtol=1e-5)
    best = np.unravel_index(sums.argmax(), sums.shape)
    assert other.network.chosen == (network.settings[best[0]], WEIGHTS[best[1]])
    assert learner.info.gradient_free


def test_values_start_as_the_language_model_bit_for_bit(tmp_path):
    run = made(tmp_path, "dkvbvalues")
    frozen = made(tmp_path, "knnlm")
    from clbench.engine.loop import begin_stream

    begin_stream(run)
    mine, plain = next(run.data.reader(0).batches(4)), next(frozen.data.reader(0).batches(4))
    logits = run.learner.network(mine)
    assert torch.equal(logits, frozen.learner.network(plain))
    assert torch.allclose(run.learner.network.log_likelihoods(mine), plain.rows[:, -1], atol=1e-5)


def test_values_add_what_the_keys_hold_and_the_loss_is_cross_entropy(runs):
    run = runs[1]["dkvbvalues"]
    network, batch = run.learner.network, batch_of(run)
    table = network.values.weight
    assert table.abs().sum() > 0
    expected = torch.stack([row[:32] + table[int(row[32])] + table[int(row[33])] for row in batch.rows])
    assert torch.allclose(network.states(batch), expected, atol=1e-6)
    keys = network.keys.keys
    nearest = [int((keys[1] - row[16:32]).square().sum(1).argmin()) + 16 for row in batch.rows]
    assert batch.rows[:, 33].tolist() == nearest
    loss = F.cross_entropy(network.source.output(expected), batch.rows[:, -2].long())
    assert torch.allclose(run.learner.loss(batch), loss, atol=1e-6)
    states = batch.rows[:, :32]
    assert torch.allclose(network.distribution(states).exp().sum(1), torch.ones(len(states)), atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "lr", "step"),
    [(0, None, 0.02), (0, 0.5, 0.5), (3, None, 4.0), (3, 0.5, 100.0)],  # Adagrad's first step is its rate
)
def test_the_rate_of_plain_sgd_is_200_times_that_of_adagrad(tmp_path, rows, lr, step):
    learner = made(tmp_path, "dkvbvalues", lr=lr, arguments={"keys": 16, "top_rows": rows}).learner
    weight = learner.network.values.weight
    weight.grad = torch.ones_like(weight)
    learner.configure_optimizers().step()
    assert torch.allclose(weight, torch.full_like(weight, -step))


@pytest.mark.parametrize("rows", [0, 3])
def test_values_of_keys_that_no_text_of_a_domain_selects_do_not_move(tmp_path, rows):
    run = made(tmp_path, "dkvbvalues", arguments={"keys": 64, "top_rows": rows})
    starts, learner = [], run.learner

    def note(stage, _):
        starts.append(learner.network.values.weight.detach().clone())

    execute(run, on_stage=note)
    selected = set()
    for batch in run.data.reader(1).batches(100):
        selected |= set(learner.network.selected(batch).flatten().tolist())
    moved = set((starts[1] != starts[0]).any(1).nonzero()[:, 0].tolist())
    assert moved
    assert moved <= selected
    assert len(selected) < len(starts[0])
    if rows:
        assert len(moved) <= 3 * 2 * 4  # rows of each of the steps


def test_values_learn(tmp_path):
    run = made(tmp_path, "dkvbvalues", epochs=8, lr=0.3)
    language = execute(run).language
    assert np.mean(np.diag(language["bits_per_byte"])) < np.mean(language["untrained"]) - 0.3


@pytest.mark.parametrize("name", ["knnlm", "dkvbcounts", "dkvbvalues"])
def test_stopped_runs_go_on_to_the_same_end(runs, name):
    folder, found = runs

    def stop(stage, _):
        if stage == 0:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        execute(made(folder, name, results="stopped"), on_stage=stop)
    again = execute(made(folder, name, results="stopped"))
    assert again.language == found[name].result.language
    assert again.costs["carried_bytes"] == found[name].result.costs["carried_bytes"]


@pytest.mark.parametrize("name", MEMORIES)
def test_bytes_carried_are_those_of_the_buffers(runs, name):
    run = runs[1][name]
    carried, network = run.result.costs["carried_bytes"], run.learner.network
    if name == "knnlm":
        assert (carried["keys"], carried["values"]) == (4000 * 32 * 2, 4000 * 4)
    else:
        assert (carried["keys"], carried["values"]) == (2 * 16 * 16 * 4, 2000 * 12 + 32 * 4)
    assert carried["statistics"] == network.scores.nbytes + (8 if name == "knnlm" else 0)


def test_likelihoods_do_not_depend_on_the_batch(runs):
    for name in METHODS:
        run = runs[1][name]
        network, batch = run.learner.network, batch_of(run)
        alone = torch.cat([network.log_likelihoods(each) for each in batch.split(1)])
        assert torch.allclose(alone, network.log_likelihoods(batch), atol=1e-4), name
        assert likelihoods(run.learner, run.data.test_dataloader()).shape == (3, 2)
