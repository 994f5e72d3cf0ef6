"""O-LoRA and InfLoRA: what they add to weights, what trains and what stays."""

import copy

import pytest
import torch
import torch.nn.functional as F
from support.architectures import ARCHITECTURES, save
from support.formula_parts import Texts, context, experience, fit, of_texts

from baselines.inflora import InfLoRA, module_of
from baselines.olora import OLoRA
from clbench.core.errors import UserError
from clbench.methods.subspaces import directions_to_take, free_directions
from clbench.models.attention import key_value_targets
from clbench.models.encoder import load_encoder
from clbench.models.low_rank import add_low_rank

FIRST = ["the oil price", "grain ships of a bank", "oil trade", "the bank rate"]
SECOND = ["question about one function", "film", "the best movie story", "a bad game player"]
KEYS = {
    "BERT": {"key", "value"}, "RoBERTa": {"key", "value"}, "DistilBERT": {"k_lin", "v_lin"},
    "ALBERT": {"key", "value"}, "ELECTRA": {"key", "value"}, "MPNet": {"k", "v"},
    "DeBERTa v2": {"key_proj", "value_proj"}, "ModernBERT": {"Wqkv"}, "GPT-2": {"c_attn"},
    "Llama": {"k_proj", "v_proj"}, "Qwen2": {"k_proj", "v_proj"}, "Qwen3": {"k_proj", "v_proj"},
    "Gemma 3": {"k_proj", "v_proj"}, "T5, encoder part": {"k", "v"},
}  # fmt: skip


def made(method, **options):
    arguments = {name: options.pop(name) for name in ("strength", "epsilon") if name in options}
    given = {"tuning": "lora", "lora_rank": 2, "experiences": 3, "lr": 0.02}
    return method(context(**(given | options)), **arguments)


def batch_of(learner, words):
    return of_texts(learner.context.encoder, words, [0, 1, 0, 1])


def learn(learner, batch, index, *columns):
    texts, each = Texts(batch), experience(index, *columns)
    learner.begin_experience(each, texts)
    fit(learner, [batch] * 10)
    learner.end_experience(each, texts)
    learner.eval()


def merged(learner, scale):
    """The encoder's model with every update added to its weights, by hand."""
    model = learner.context.encoder.model()
    for name, each in learner.network.sums.items():
        weight = model.get_submodule(name).weight
        delta = torch.zeros_like(weight)
        for at in range(len(each.old_a) // each.rank):
            rows = slice(at * each.rank, (at + 1) * each.rank)
            delta += each.old_b[:, rows] @ each.old_a[rows]
        weight.data += scale * (delta + each.b.detach() @ each.a.detach())
    return model


@pytest.mark.parametrize(("method", "scale"), [(OLoRA, 16.0), (InfLoRA, 1.0)])
def test_the_forward_pass_is_that_of_merged_weights(method, scale):
    torch.manual_seed(0)
    learner = made(method)
    first, second = batch_of(learner, FIRST), batch_of(learner, SECOND)
    learn(learner, first, 0, 0, 1)
    texts = Texts(second)
    learner.begin_experience(experience(1, 1, 2), texts)
    fit(learner, [second] * 3)
    learner.eval()
    rows, mask = second.padded()
    with torch.no_grad():
        states = merged(learner, scale)(input_ids=rows[..., 0].long(), attention_mask=mask.long())
        pooled = torch.stack([
            each[: int(length)].mean(0)
            for each, length in zip(states.last_hidden_state, second.lengths, strict=True)
        ])  # fmt: skip
        plain = learner.context.encoder.frozen_states(rows, mask)
        torch.testing.assert_close(learner(second), learner.network.head(pooled), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(plain[mask], states.last_hidden_state[mask], atol=1e-3)


def test_the_penalty_of_olora_is_half_the_sum_of_absolute_products():
    torch.manual_seed(0)
    learner = made(OLoRA)
    first, second = batch_of(learner, FIRST), batch_of(learner, SECOND)
    torch.testing.assert_close(
        learner.eval().loss(first), F.cross_entropy(learner(first), first.targets), atol=0, rtol=0
    )
    kept = []
    for at in (0, 1):
        kept.append({name: each.a.detach().clone() for name, each in learner.network.sums.items()})
        learner.end_experience(experience(at, 0), Texts(first))
    wanted = 0.0
    for name, each in learner.network.sums.items():
        for old in (pairs[name] for pairs in kept):
            for row in old:
                wanted += sum(float((row * new).sum().abs()) for new in each.a.detach())
    plain = F.cross_entropy(learner(second), second.targets)
    torch.testing.assert_close(learner.loss(second), plain + 0.5 * wanted)
    assert wanted > 1


def test_the_penalty_makes_new_directions_orthogonal():
    overlaps = []
    for strength in (0.0, 0.5):
        torch.manual_seed(0)
        learner = made(OLoRA, strength=strength, lr=1e-3)
        learn(learner, batch_of(learner, FIRST), 0, 0, 1)
        fit(learner, [batch_of(learner, SECOND)] * 50)
        overlaps.append(sum(float(each.overlap().detach()) for each in learner.network.sums.values()))
    assert overlaps[1] < 0.5 * overlaps[0]


@pytest.mark.parametrize("method", [OLoRA, InfLoRA])
def test_the_encoder_and_old_pairs_stay_bit_for_bit(method):
    torch.manual_seed(0)
    learner = made(method)
    learn(learner, batch_of(learner, FIRST), 0, 0, 1)
    before = copy.deepcopy(learner.network.sums)
    head = learner.network.head.weight.detach().clone()
    learn(learner, batch_of(learner, SECOND), 1, 1, 2)
    for name, each in learner.network.sums.items():
        assert before[name].old_b[:, :2].any()
        assert torch.equal(each.old_a[:2], before[name].old_a[:2])
        assert torch.equal(each.old_b[:, :2], before[name].old_b[:, :2])
        assert each.old_b[:, 2:4].any()
        assert not each.old_b[:, 4:].any()
    for name, weight in learner.context.encoder.model().state_dict().items():
        assert torch.equal(learner.network.encoder.state_dict()[name], weight), name
    if method is InfLoRA:
        assert torch.equal(learner.network.head.weight[0], head[0])  # a column of the first one alone


def test_directions_are_taken_until_they_hold_the_share_of_the_energy():
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))
    values = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.0, 0.0], dtype=torch.float64)  # squares: 9, 4, 1, 0.25
    moments = basis @ values.diag() @ basis.T
    nothing = torch.zeros(6, 6, dtype=torch.float64)
    for share, count in ((0.01, 1), (0.5, 1), (0.64, 2), (0.9, 2), (0.95, 3), (0.99, 4)):
        taken = directions_to_take(nothing, moments, share)
        assert taken.shape[1] == count
        torch.testing.assert_close(taken @ taken.T, basis[:, :count] @ basis[:, :count].T)
    held = basis[:, :1] @ basis[:, :1].T  # it holds 9 of 14.25
    taken = directions_to_take(held, moments, 0.9)
    torch.testing.assert_close(taken @ taken.T, basis[:, 1:2] @ basis[:, 1:2].T)
    vectors, found = free_directions(held, moments)
    torch.testing.assert_close(found[:3], values[1:4])
    assert not (held @ vectors).abs().gt(1e-9).any()


def inputs_of(learner, batch) -> dict[str, torch.Tensor]:
    """What each module's projections read of the tokens of a batch, by hooks."""
    found, mask, hooks = {}, batch.padded()[1], []
    for name in learner.network.sums:
        layer = learner.network.encoder.get_submodule(name)
        place = module_of(name)
        hooks.append(
            layer.register_forward_pre_hook(lambda _, x, place=place: found.update({place: x[0][mask]}))
        )
    with torch.no_grad():
        learner(batch)
    for hook in hooks:
        hook.remove()
    return found


def test_a_of_inflora_is_the_leading_directions_of_inputs_off_those_of_earlier_ones():
    torch.manual_seed(0)
    learner = made(InfLoRA).eval()
    first, second = batch_of(learner, FIRST), batch_of(learner, SECOND)
    learner.begin_experience(experience(0, 0, 1), Texts(first))
    for name, each in learner.network.sums.items():  # no earlier inputs: the leading eigenvectors of X^T X
        x = inputs_of(learner, first)[module_of(name)].double()
        leading = torch.linalg.eigh(x.T @ x).eigenvectors[:, -2:]
        torch.testing.assert_close(
            each.a.double().T @ each.a.double(), leading @ leading.T / 3, atol=1e-5, rtol=0
        )
    learn(learner, first, 0, 0, 1)
    x = inputs_of(learner, first)
    learner.begin_experience(experience(1, 1, 2), Texts(second))
    y = inputs_of(learner, second)
    for name, each in learner.network.sums.items():
        c, d = (inputs.double().T @ inputs.double() for inputs in (x[module_of(name)], y[module_of(name)]))
        values, vectors = torch.linalg.eigh(c)
        squares, count = values.flip(0).square(), 1
        while squares[:count].sum() < 0.95 * squares.sum():
            count += 1
        span = vectors.flip(1)[:, :count]
        torch.testing.assert_close(learner.projectors[module_of(name)], span @ span.T, atol=1e-4, rtol=0)
        left = torch.linalg.svd(d - span @ span.T @ d).U[:, :2]
        torch.testing.assert_close(each.a.double().T @ each.a.double(), left @ left.T / 3, atol=1e-4, rtol=0)
        assert not (each.a.double() @ span).abs().gt(1e-4).any()
        assert not each.a.requires_grad
        assert not each.b.any()


def moved(method, **options) -> float:
    """How far outputs of the first texts move, at most, while the second experience is learned."""
    torch.manual_seed(0)
    learner = made(method, **options)
    first, second = batch_of(learner, FIRST), batch_of(learner, SECOND)
    learn(learner, first, 0, 0, 1)
    with torch.no_grad():
        before, mine = learner.network.features(first), learner.network.features(second)
        learn(learner, second, 1, 1, 2)
        assert (learner.network.features(second) - mine).abs().max() > 0.02  # it did learn
        return float((learner.network.features(first).detach() - before).abs().max())


def test_earlier_outputs_on_earlier_inputs_hardly_move():
    assert moved(InfLoRA, epsilon=0.999999) < 2e-3
    assert moved(InfLoRA, epsilon=0.0) > 2e-2


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_keys_and_values_that_can_be_updated(name, tmp_path):
    kind = ARCHITECTURES[name]
    model = load_encoder(str(save(name, tmp_path / kind.config))).model()
    targets = key_value_targets(model)
    assert {each.rpartition(".")[2] for each in targets} == KEYS[name]
    assert len(targets) == len(KEYS[name]) * kind.layers
    ids = torch.tensor([[3, 5, 7]])
    with torch.no_grad():
        before = model(input_ids=ids).last_hidden_state
        sums = add_low_rank(model, targets, 2, 2)
        for each in sums.values():
            each.draw(torch.Generator().manual_seed(0))
        torch.testing.assert_close(model(input_ids=ids).last_hidden_state, before, atol=0, rtol=0)
        for each in sums.values():
            each.b.fill_(0.1)
        assert not torch.allclose(model(input_ids=ids).last_hidden_state, before, atol=1e-4)


def test_an_encoder_without_layers_to_update_is_refused():
    model = load_encoder("tiny").model()
    with pytest.raises(UserError, match=r"^low-rank updates: no linear layers of attention in type 'bert'$"):
        add_low_rank(model, [], 2, 2)
