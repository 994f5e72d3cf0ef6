"""Adapter-HAT: its adapters, what masked updates protect, and what the reference variant does not."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import context, experience, fit, of_texts

from baselines.adapter_hat import AdapterHAT
from clbench.methods.gating.adapters import MaskedAdapter
from clbench.methods.gating.protection import MaskedUpdate
from clbench.models.adapters import layer_norms

WORDS = ["oil prices", "grain ships", "a bank", "best film"] * 2


def batch_of(learner, at: int, targets=(0, 1)):
    batch = of_texts(learner.context.encoder, WORDS, [targets[place % 2] for place in range(8)])
    batch.class_mask[:] = False
    batch.class_mask[:, list(targets)] = True
    return replace(batch, experience=torch.full_like(batch.experience, at))


def made(update="masked", **options) -> AdapterHAT:
    options = {"task_aware": True, "tuning": "adapter", "lr": 3e-3, "adapter_size": 24, **options}
    return AdapterHAT(context(**options), update=update)


def learn(learner, at: int, targets) -> None:
    learner.begin_experience(experience(at, *targets), None)
    fit(learner, [batch_of(learner, at, targets)] * 8, epochs=2)
    learner.end_experience(experience(at, *targets), None)


def test_an_adapter_is_two_gated_layers_and_a_skip():
    adapter = MaskedAdapter(context(tuning="adapter", adapter_size=4), torch.Generator().manual_seed(0))
    states = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(1))
    first, second = torch.rand(2, 4), torch.rand(2, 32)
    adapter.open((first, second), torch.ones(2, 3, dtype=torch.bool), torch.zeros(2).long())
    for b in range(2):
        for t in range(3):
            inner = F.relu(adapter.first.weight @ states[b, t] + adapter.first.bias) * first[b]
            wanted = states[b, t] + F.relu(adapter.second.weight @ inner + adapter.second.bias) * second[b]
            torch.testing.assert_close(adapter(states)[b, t], wanted, atol=1e-5, rtol=1e-5)


def test_there_is_one_after_attention_and_one_after_the_feed_forward_part_and_norms_train():
    learner = made()
    layers = learner.network.encoder.config.num_hidden_layers
    assert len(learner.network.adapters()) == 2 * layers
    assert learner.network.gates.sizes == [24, 32] * 2 * layers
    norms = layer_norms(learner.network.encoder)
    assert len(norms) == 2 * layers
    trained = {id(weight) for _, weight in learner.named_trainable()}
    own = {id(weight) for module in (*norms, *learner.network.adapters()) for weight in module.parameters()}
    head = {id(weight) for weight in learner.network.head.parameters()}
    assert trained == own | head | {id(learner.network.gates.embeddings)}


def test_the_run_decides_the_width_and_the_method_its_default():
    assert AdapterHAT.info.adapter_size == 2000
    assert made(adapter_size=7).network.adapters()[0].first.out_features == 7


def test_free_shares_are_those_of_plain_loops():
    learner = made()
    gates = learner.network.gates
    gates.used.copy_(torch.rand(len(gates.used), generator=torch.Generator().manual_seed(1)))
    shares = {
        id(weight): share.expand_as(weight) for weight, share in learner.network.factors(torch.tensor([1]))
    }
    start = 0
    for adapter in learner.network.adapters():
        first, second = gates.used[start : start + 24], gates.used[start + 24 : start + 56]
        start += 56
        for i in range(32):
            for j in range(0, 24, 5):
                wanted = 1 - min(float(second[i]), float(first[j]))
                assert float(shares[id(adapter.second.weight)][i, j]) == pytest.approx(wanted)
                assert float(shares[id(adapter.first.weight)][j, i]) == pytest.approx(1 - float(first[j]))
        torch.testing.assert_close(shares[id(adapter.second.bias)], 1 - second)


def test_a_masked_update_is_a_share_of_the_step_of_any_optimizer():
    weight = torch.nn.Parameter(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    share = torch.tensor([0.0, 1.0, 0.25, 0.0]).unsqueeze(1)
    optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        before = weight.detach().clone()
        weight.grad = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
        masked = MaskedUpdate([(weight, share)])
        optimizer.step()
        after = weight.detach().clone()
        masked.apply()
        torch.testing.assert_close(weight, before + share * (after - before))
        assert torch.equal(weight[[0, 3]], before[[0, 3]])  # bit for bit
        assert torch.equal(weight[1], after[1])
        assert not torch.equal(after[0], before[0])


def protected(learner) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights, and where they are fully in use."""
    return [
        (weight, (share == 0).expand_as(weight))
        for weight, share in learner.network.factors(torch.tensor([1]))
    ]


@pytest.mark.parametrize("update", ["masked", "reference"])
def test_what_is_fully_in_use_does_not_move_unless_as_in_the_authors_code(update):
    torch.manual_seed(0)
    learner = made(update)
    learn(learner, 0, (0, 1))
    places = protected(learner)
    start = [weight.detach().clone() for weight, _ in places]
    assert sum(int(where.sum()) for _, where in places) > 100
    learn(learner, 1, (0, 2))
    moved = [(weight != old)[where] for (weight, where), old in zip(places, start, strict=True)]
    assert any((weight != old).any() for (weight, _), old in zip(places, start, strict=True))  # it did train
    assert torch.cat(moved).any() == (update == "reference")


@pytest.mark.parametrize("update", ["masked", "reference"])
def test_a_learned_experience_is_not_changed_by_the_next_unless_as_in_the_authors_code(update):
    torch.manual_seed(0)
    learner = made(update)
    learn(learner, 0, (0, 1))
    with torch.no_grad():  # gates are open or shut: what follows is then exact
        learner.network.gates.used.round_()
        learner.network.gates.embeddings[0].copy_(learner.network.gates.used * 12 - 6)
    batch = batch_of(learner, 0)
    before = learner.eval().network.features(batch).detach()
    learn(learner, 1, (0, 2))
    after = learner.eval().network.features(batch).detach()
    assert torch.allclose(after, before, atol=1e-5, rtol=0) == (update == "masked")


def test_the_variant_is_named_by_its_value():
    assert AdapterHAT.info.named_by_value == ("gates", "update")
