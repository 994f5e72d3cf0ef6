"""HAT: its gates, its gradients and what it claims not to change."""

import math
from dataclasses import replace

import pytest
import torch
from support.formula_parts import context, experience, features, fit, of_texts, part

from baselines.hat import HAT
from clbench.methods.experience_choice import entropy
from clbench.methods.gating.gates import Gates
from clbench.methods.gating.protection import scale_gradients


def gates(experiences: int = 2) -> Gates:
    return Gates([3, 2], experiences, 400.0, torch.Generator().manual_seed(0))


def test_the_gradient_of_embeddings_is_that_of_a_gate_at_s_1_times_s_max():
    module = gates()
    module.train()
    module.scale = 3.0
    torch.cat(module(torch.tensor([1])), 1).sum().backward()
    module.compensate()
    e = module.embeddings.detach()[1].requires_grad_()
    torch.sigmoid(e).sum().backward()
    torch.testing.assert_close(module.embeddings.grad[1], 400.0 * e.grad)
    assert not module.embeddings.grad[0].any()


def test_s_rises_linearly_over_an_epoch():
    module = gates()
    scales = []
    for step in range(5):
        module.anneal(step, 5)
        scales.append(module.scale)
    assert scales[0] == pytest.approx(1 / 400)
    assert scales[2] == pytest.approx((400 + 1 / 400) / 2)
    assert scales[4] == pytest.approx(400)


def test_usage_counts_only_units_that_are_still_free():
    module = gates()
    module.eval()
    module.used.copy_(torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0]))
    gate = torch.sigmoid(400 * module.embeddings[0]).detach()
    expected = (gate * torch.tensor([0.0, 0.5, 1, 1, 1])).sum() / 3.5
    torch.testing.assert_close(module.usage(torch.tensor([0, 0])), expected)


def test_used_is_the_largest_gate_of_any_earlier_experience():
    module = gates()
    for at in (0, 1):
        module.remember(at)
    torch.testing.assert_close(module.used, torch.sigmoid(400 * module.embeddings).max(0).values)


def test_gradients_are_scaled_by_what_both_ends_are_used_for():
    learner = HAT(context(task_aware=True), width=4)
    network = learner.network
    used = torch.rand(8, generator=torch.Generator().manual_seed(1))
    network.gates.used.copy_(used)
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    scale_gradients(network.factors(torch.zeros(1, dtype=torch.int64)))
    first, second = network.body.first, network.body.second
    for i in range(4):
        torch.testing.assert_close(first.weight.grad[i], (1 - used[i]).expand(32))
        for j in range(4):
            torch.testing.assert_close(second.weight.grad[i, j], 1 - min(used[4 + i], used[j]))
    torch.testing.assert_close(second.bias.grad, 1 - used[4:])
    assert (network.head.weight.grad == 1).all()


@pytest.mark.parametrize("tuning", ["frozen", "adapter"])
def test_a_learned_experience_is_not_changed_by_the_next(tuning):
    torch.manual_seed(0)
    learner = HAT(context(task_aware=True, tuning=tuning, lr=0.1), width=32)
    batches = []
    for at, columns in enumerate(([0, 1], [1, 2])):
        batch = features(8, seed=at, experience=at)
        if tuning == "adapter":
            words = ["oil prices", "grain ships", "a bank", "best film"] * 2
            batch = replace(of_texts(learner.context.encoder, words), experience=batch.experience)
        batch.targets[:] = torch.tensor(columns).repeat(4)
        batch.class_mask[:] = False
        batch.class_mask[:, columns] = True
        batches.append(batch)
    fit(learner, [batches[0]] * 10, epochs=3)
    learner.end_experience(experience(0, 0, 1), None)
    learner.eval()
    # Column 0 belongs to the first experience alone; what column 1 answers, the second may change.
    before = learner(batches[0])[:, 0].detach()
    start = {name: weight.detach().clone() for name, weight in learner.named_trainable()}
    fit(learner, [batches[1]] * 10, epochs=3)
    learner.eval()
    moved = [name for name, weight in learner.named_trainable() if not torch.equal(weight, start[name])]
    assert len(moved) >= 3  # it did train
    torch.testing.assert_close(learner(batches[0])[:, 0], before, atol=1e-5, rtol=0)


def test_entropy_is_that_of_the_class_probabilities():
    scores = torch.tensor([[1.0, 2.0, -torch.inf], [0.0, 0.0, 0.0]])
    for row, found in zip(scores, entropy(scores), strict=True):
        wanted = 0.0
        for p in row.softmax(0).tolist():
            wanted -= p * math.log(p) if p else 0.0
        assert float(found) == pytest.approx(wanted, abs=1e-6)


def trained_twice(gates: str, task_aware: bool = False) -> HAT:
    """HAT after two experiences, whose features are far apart."""
    learner = HAT(context(task_aware=task_aware, experiences=3, lr=0.5), width=32, gates=gates)
    for at in (2, 0):
        learner.begin_experience(experience(at, 0, 1, 2), None)
        fit(learner, [features(16, seed=at, experience=at)] * 20, epochs=3)
        learner.end_experience(experience(at, 0, 1, 2), None)
    return learner.eval()


def under(learner: HAT, batch, at: int) -> torch.Tensor:
    return learner.network(replace(batch, experience=torch.full_like(batch.experience, at)))


def test_without_task_ids_the_gates_are_those_of_the_last_experience():
    learner = trained_twice("last_id")
    batch = features(16, seed=2, experience=2)
    torch.testing.assert_close(learner(batch), under(learner, batch, 0))
    told = trained_twice("last_id", task_aware=True)
    torch.testing.assert_close(told(batch), under(told, batch, 2))


def test_without_task_ids_the_gates_can_be_those_of_least_entropy():
    learner = trained_twice("ent_id")
    batch = features(64, seed=5, experience=1)  # whatever the batch says of its experience
    found, chosen = learner(batch), []
    for at in range(len(batch)):
        options = {each: under(learner, part(batch, slice(at, at + 1)), each)[0] for each in (0, 2)}
        spread = {
            each: -sum(p * math.log(p) for p in v.softmax(0).tolist() if p) for each, v in options.items()
        }
        chosen.append(min(spread, key=spread.get))
        torch.testing.assert_close(found[at], options[chosen[-1]], atol=1e-5, rtol=1e-5)
    assert set(chosen) == {0, 2}


def test_before_training_the_gates_are_those_of_the_first_experience():
    learner = HAT(context(experiences=3), gates="ent_id").eval()
    torch.testing.assert_close(learner(features(4, experience=2)), under(learner, features(4), 0))
