"""The bottleneck in each of its layouts, against one that is written out in loops."""

import copy
import dataclasses
import itertools
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from support.bottlenecks import CHOICES, LENGTHS, MAX_TOKENS, context, layout
from support.naive_dkvb import naive_counts, naive_logits, naive_selection

from baselines.dkvb import DKVB
from clbench.core.errors import UserError
from clbench.methods.dkvb.bottleneck import BottleneckNetwork, KeyValueBottleneck
from clbench.methods.dkvb.choices import REFERENCE
from clbench.methods.dkvb.key_init import carry_values

EVERY = [dict(zip(CHOICES, chosen, strict=True)) for chosen in itertools.product(*CHOICES.values())]


def is_possible(options) -> bool:
    return options["segmentation"] == "hidden" or (options["place"], options["projection"]) == ("after", 0)


POSSIBLE = [options for options in EVERY if is_possible(options)]


def name(options) -> str:
    return "-".join(str(each) for each in options.values())


def past_prefix(encoder, network, batch):
    return network.prefix(encoder, batch, MAX_TOKENS)


def test_every_layout_is_either_tested_or_refused():
    for options in EVERY:
        if is_possible(options):
            layout(**options)
        else:
            with pytest.raises(UserError, match="segmentation token"):
                layout(**options)


@pytest.mark.parametrize("options", POSSIBLE, ids=name)
def test_selections_logits_and_gradients_are_those_of_the_written_out_form(options, encoder):
    network = BottleneckNetwork(context(encoder), layout(**options)).eval()
    encoded = past_prefix(encoder, network, encoder.batch(LENGTHS))
    texts = [encoder.text(at, length, options["padding"]) for at, length in enumerate(LENGTHS)]
    for alone, text in zip(encoded.split(1), texts, strict=True):
        found = Counter()
        for entry, count in alone.rows.tolist():
            found[entry % network.rows] += count
        assert found == naive_counts(network, text)

    values = network.values.weight.detach().clone().requires_grad_()
    linear = copy.deepcopy(network.decoder)
    naive = torch.stack([naive_logits(network, text, values, linear) for text in texts])
    logits = network(encoded)
    torch.testing.assert_close(logits, naive, atol=1e-5, rtol=0)

    F.cross_entropy(logits, encoded.targets).backward()
    F.cross_entropy(naive, encoded.targets).backward()
    gradient = network.values.weight.grad
    assert gradient.is_sparse
    torch.testing.assert_close(gradient.to_dense(), values.grad, atol=1e-5, rtol=0)
    if linear is not None:
        torch.testing.assert_close(network.decoder.weight.grad, linear.weight.grad, atol=1e-5, rtol=0)
        torch.testing.assert_close(network.decoder.bias.grad, linear.bias.grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", POSSIBLE, ids=name)
def test_a_text_of_full_length_has_as_many_selections_as_the_layout_says(options, encoder):
    network = BottleneckNetwork(context(encoder), layout(**options))
    encoded = past_prefix(encoder, network, encoder.batch([MAX_TOKENS, 2]))
    entries, counts = next(encoded.split(1)).rows.unbind(1)
    in_group = torch.zeros(network.layout.groups).index_add_(0, entries // network.rows, counts.float())
    assert in_group.tolist() == [network.layout.selections] * network.layout.groups
    assert len(entries) <= network.row_shape[0]


@pytest.mark.parametrize("segmentation", ["hidden", "token"])
def test_a_text_selects_the_same_whatever_its_company(segmentation, encoder):
    network = BottleneckNetwork(context(encoder), layout(segmentation=segmentation))
    together = past_prefix(encoder, network, encoder.batch(LENGTHS))
    for at, text in enumerate(together.split(1)):
        alone = past_prefix(encoder, network, encoder.batch([LENGTHS[at]], first=at))
        assert torch.equal(text.rows, alone.rows)


def test_the_dense_gradient_is_the_sparse_one(encoder):
    gradients = []
    for sparse in (True, False):
        network = BottleneckNetwork(context(encoder), layout(), sparse=sparse)
        encoded = past_prefix(encoder, network, encoder.batch(LENGTHS))
        F.cross_entropy(network(encoded), encoded.targets).backward()
        gradients.append(network.values.weight.grad)
    assert [each.is_sparse for each in gradients] == [True, False]
    torch.testing.assert_close(gradients[0].to_dense(), gradients[1], atol=1e-6, rtol=0)


def test_the_linear_layer_has_dropout_in_training_only(encoder):
    network = BottleneckNetwork(context(encoder), layout(decoder="parametric"), normal_values=True)
    encoded = past_prefix(encoder, network, encoder.batch(LENGTHS))
    assert not torch.equal(network.train()(encoded), network.train()(encoded))
    assert torch.equal(network.eval()(encoded), network.eval()(encoded))


def test_values_start_at_zero_or_standard_normal_and_all_follows_from_the_seed(encoder):
    def made(seed, **options):
        return BottleneckNetwork(context(encoder, seed=seed), layout(keys=512, projection=5), **options)

    assert not made(0).values.weight.any()
    assert not DKVB(context(encoder), heads=4, keys=16).network.values.weight.any()
    first, again, other = (made(seed, normal_values=True) for seed in (0, 0, 1))
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key])
        assert not torch.equal(tensor, other.state_dict()[key])
    values = first.values.weight.detach()
    assert float(values.mean()) == pytest.approx(0, abs=0.05)
    assert float(values.std()) == pytest.approx(1, abs=0.05)
    projected = torch.einsum("btd,hdp->hbtp", encoder.states, first.projections)
    ratio = projected.square().sum(3).mean() / encoder.states.square().sum(2).mean()
    assert float(ratio) == pytest.approx(1, rel=0.2)  # projections keep lengths in expectation


def test_the_address_of_selections_depends_on_keys_and_layout_and_not_on_values(encoder):
    network = BottleneckNetwork(context(encoder), layout())
    address = network.prefix.address
    with torch.no_grad():
        network.values.weight += 1
    assert network.prefix.address == address
    assert BottleneckNetwork(context(encoder), layout(top_k=2)).prefix.address != address
    network.keys[3, 15, 7] += 1e-6
    assert network.prefix.address != address


# -- the learner ---------------------------------------------------------------------------------------


def one_step(learner, batch) -> torch.Tensor:
    """The values after one training step."""
    optimizer = learner.configure_optimizers()
    learner.loss(batch).backward()
    optimizer.step()
    return learner.network.values.weight.detach()


@pytest.mark.parametrize("decoder", ["non-parametric", "parametric"])
@pytest.mark.parametrize("segmentation", ["hidden", "token"])
def test_a_step_moves_the_selected_values_by_the_rate_times_the_most_selections(
    segmentation, decoder, encoder
):
    options = {"segmentation": segmentation, "decoder": decoder, "optimizer": "sgd", "decoder_lr": 0.05}
    learner = DKVB(context(encoder, lr=0.7), heads=4, keys=16, **options).eval()
    batch = past_prefix(encoder, learner.network, encoder.batch(LENGTHS))
    values = learner.network.values.weight.detach().clone().requires_grad_()
    linear = copy.deepcopy(learner.network.decoder)
    texts = [encoder.text(at, length, "masked") for at, length in enumerate(LENGTHS)]
    naive = torch.stack([naive_logits(learner.network, text, values, linear) for text in texts])
    F.cross_entropy(naive, batch.targets).backward()
    most = {
        ("hidden", "non-parametric"): 16 * 4,  # tokens x heads
        ("hidden", "parametric"): 16,
        ("token", "non-parametric"): 4 * 32,  # segments x dimensions
        ("token", "parametric"): 4,
    }[segmentation, decoder]
    expected = values.detach() - 0.7 * most * values.grad
    torch.testing.assert_close(one_step(learner, batch), expected, atol=1e-5, rtol=0)
    if linear is not None:
        expected = linear.weight.detach() - 0.05 * linear.weight.grad
        torch.testing.assert_close(learner.network.decoder.weight.detach(), expected, atol=1e-6, rtol=0)


def test_by_default_values_are_means_over_the_stream_and_not_over_an_experience(encoder):
    learner = DKVB(context(encoder, lr=0.3), heads=4, keys=16).eval()
    batch = past_prefix(encoder, learner.network, encoder.batch(LENGTHS))
    values = learner.network.values.weight
    sums, norms = torch.zeros_like(values), torch.zeros(len(values))
    for _ in range(3):  # a new optimizer each time, as in three experiences
        gradient = torch.autograd.grad(learner.loss(batch), values)[0].to_dense()
        sums, norms = sums + gradient, norms + gradient.square().sum(1).sqrt()
        values.grad = None
        after = one_step(learner, batch)
        expected = -0.3 * sums / norms.clamp(min=1e-30).unsqueeze(1)
        torch.testing.assert_close(after, expected, atol=1e-5, rtol=0)
    assert learner.carried_bytes()["values"] == values.nbytes + 4 * len(values)


def test_values_that_no_text_selects_stay_bit_for_bit_and_with_adamw_they_move(encoder):
    for optimizer, stays in (("row-mean", True), ("adagrad", True), ("sgd", True), ("reference", False)):
        learner = DKVB(context(encoder), heads=4, keys=64, values="reference", optimizer=optimizer)
        before = learner.network.values.weight.detach().clone()
        batch = past_prefix(encoder, learner.network, encoder.batch(LENGTHS))
        after = one_step(learner, batch)
        selected = set()
        for at, length in enumerate(LENGTHS):
            selected |= set(naive_counts(learner.network, encoder.text(at, length, "masked")))
        others = [row for row in range(4 * 64) if row not in selected]
        assert others
        assert torch.equal(after[others], before[others]) == stays
        assert not (after[sorted(selected)] == before[sorted(selected)]).all(1).any()


@pytest.mark.parametrize("decoder", ["non-parametric", "parametric"])
def test_a_task_has_its_own_columns(decoder, encoder):
    options = {"decoder": decoder, "values": "reference"}
    learner = DKVB(context(encoder, columns=4), heads=4, keys=16, **options).eval()
    batch = past_prefix(encoder, learner.network, encoder.batch(LENGTHS, columns=4, labels=2))
    batch.class_mask[:, 2:] = False
    assert (learner.scores(batch)[:, 2:] == -torch.inf).all()
    network = copy.deepcopy(learner.network)
    expected = F.cross_entropy(network(batch)[:, :2], batch.targets)
    torch.testing.assert_close(learner.loss(batch), expected)
    after = one_step(learner, batch)
    if decoder == "non-parametric":
        assert torch.equal(after[:, 2:], network.values.weight[:, 2:])
        assert not torch.equal(after[:, :2], network.values.weight[:, :2])
    else:
        assert torch.equal(learner.network.decoder.weight[2:], network.decoder.weight[2:])
        assert not torch.equal(learner.network.decoder.weight[:2], network.decoder.weight[:2])


def test_hidden_segments_are_slices_and_token_segments_are_stretches_of_one_dimension(encoder):
    """The written-out form itself, by hand."""
    text = encoder.text(0, 9, "masked")
    hidden = BottleneckNetwork(context(encoder), layout(keys=2))
    selection = [(head, rows) for head, _, rows in naive_selection(hidden, text)]
    assert len(selection) == 4 * 9
    closer = (text[5, 16:24] - hidden.keys[2]).square().sum(1).argmin()
    assert selection[2 * 9 + 5] == (2, [2 * 2 + closer])
    token = BottleneckNetwork(context(encoder), layout(segmentation="token", keys=2))
    selection = [(head, slot, rows) for head, slot, rows in naive_selection(token, text)]
    assert len(selection) == 3 * 32  # positions 0 to 3, 4 to 7, and 8 with three zeros
    last = torch.cat([text[8:, 7], torch.zeros(3)])
    closer = (last - token.keys[2]).square().sum(1).argmin()
    assert selection[2 * 32 + 7] == (2, 7, [2 * 2 + closer])


@pytest.mark.parametrize("heads", [1, 4])
def test_the_bottleneck_alone_is_the_written_out_form(heads, encoder):
    bottleneck = KeyValueBottleneck(32, heads, 16, 3, torch.Generator().manual_seed(0))
    states = encoder.states.clone()
    mask = torch.arange(MAX_TOKENS) < torch.tensor(LENGTHS)[:, None]
    states[~mask] = torch.nan  # padding does not count
    logits = bottleneck(states, mask)
    texts = [text[: int(own.sum())] for text, own in zip(states, mask, strict=True)]
    naive = torch.stack([naive_logits(bottleneck, text, bottleneck.values.weight) for text in texts])
    assert logits.shape == (len(LENGTHS), 3)
    torch.testing.assert_close(logits, naive, atol=1e-5, rtol=0)
    logits.sum().backward()
    assert int((bottleneck.values.weight.grad != 0).any(1).sum()) == len(
        set().union(*(naive_counts(bottleneck, text) for text in texts))
    )
    assert not [name for name, _ in bottleneck.named_parameters() if name != "values.weight"]


def test_the_reference_variant_is_the_public_code_in_every_way_and_an_argument_goes_before_it(encoder):
    learner = DKVB(context(encoder), "reference", heads=4, keys=64)
    keys = learner.network.keys
    bound = (6 / (64 * keys.shape[2])) ** 0.5  # Kaiming-uniform with a fan of K * d
    assert 0.9 * bound < float(keys.abs().max()) <= bound
    assert float(learner.network.values.weight.std()) == pytest.approx(1, abs=0.1)
    assert learner.initialization.batch_size == 16
    assert learner.initialization.update == learner.initialization.start == "reference"
    assert learner.network.layout.padding == "reference"
    assert isinstance(learner.configure_optimizers(), torch.optim.AdamW)
    assert learner.moments is not None
    assert dataclasses.asdict(learner.choices) == dataclasses.asdict(REFERENCE)
    other = DKVB(context(encoder), "reference", heads=4, keys=64, values="zero", init_batch_size=8)
    assert not other.network.values.weight.any()
    assert other.initialization.batch_size == 8
    assert other.choices.update == "reference"


def test_values_go_where_the_nearest_earlier_key_was(encoder):
    network = BottleneckNetwork(context(encoder), layout(heads=4, keys=16), normal_values=True)
    books = copy.deepcopy(network.codebooks)
    earlier, values = books.keys, network.values.weight.detach().clone().view(4, 16, -1)
    network.values.keep_mass()
    network.values.mass.copy_(torch.arange(64.0))
    generator = torch.Generator().manual_seed(0)
    network.keys.copy_(earlier + 0.8 * torch.randn(earlier.shape, generator=generator))
    carry_values(network, books)
    moved = network.values.weight.detach().view(4, 16, -1)
    changed = 0
    for head in range(4):
        for key in range(16):
            distances = (earlier[head] - network.keys[head, key]).square().sum(1)
            nearest = int(distances.argmin())
            assert torch.equal(moved[head, key], values[head, nearest])
            assert network.values.mass[16 * head + key] == 16 * head + nearest
            changed += nearest != key
    assert changed > 4


def test_an_optimizer_whose_state_would_be_lost_cannot_live_for_the_stream(encoder):
    for optimizer in ("row-mean", "adagrad", "row-adagrad", "row-adam", "sparse-adam"):
        with pytest.raises(UserError, match=f"lifetime reference: not with optimizer {optimizer}"):
            DKVB(context(encoder), heads=4, keys=16, optimizer=optimizer, lifetime="reference")
    assert DKVB(context(encoder), "reference", heads=4, keys=16, optimizer="sgd").moments is None
