"""B-CL and CTR: capsules, routing and transfer against plain loops, and what their adapters make of them."""

import pytest
import torch
import torch.nn.functional as F
from support import naive_capsules as naive
from support.formula_parts import context

from baselines.bcl import BCL
from baselines.ctr import CTR
from clbench.methods.capsules.routing import RoutedAdapter, TaskRouting
from clbench.methods.capsules.semantic import SemanticCapsules, squash
from clbench.methods.capsules.transfer import TransferAdapter, TransferRouting

COUNT, TOKENS, SIZE = 3, 7, 8
LENGTHS = [7, 2, 5, 4]
EXPERIENCE = torch.tensor([0, 1, 2, 2])


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mask() -> torch.Tensor:
    return torch.arange(TOKENS) < torch.tensor(LENGTHS).unsqueeze(1)


def semantic() -> SemanticCapsules:
    return SemanticCapsules(SIZE, COUNT, torch.Generator().manual_seed(1))


def close(found: torch.Tensor, wanted: list) -> None:
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-5)


def test_squash_keeps_the_direction_and_bounds_the_length():
    vectors = draw(5, 4)
    close(squash(vectors), [naive.squash(each) for each in vectors.tolist()])
    assert not squash(torch.zeros(2, 3)).any()


def test_semantic_capsules_are_squashed_along_the_experiences():
    layers, states = semantic(), draw(4, TOKENS, SIZE)
    found = layers(states, mask())
    assert found.shape == (4, COUNT, TOKENS, 3)
    for text, length in enumerate(LENGTHS):
        close(found[text, :, :length], naive.semantic(layers, states[text, :length]))
        assert not found[text, :, length:].any()


def test_routing_is_that_of_plain_loops_on_each_text_alone():
    layers, states = semantic(), draw(4, TOKENS, SIZE)
    routing = TaskRouting(COUNT, TOKENS, torch.Generator().manual_seed(2))
    found = routing(layers(states, mask()), EXPERIENCE)
    for text, length in enumerate(LENGTHS):
        capsules = naive.semantic(layers, states[text, :length])
        close(found[text, :length], naive.route(routing, capsules, int(EXPERIENCE[text])))


def test_transfer_is_that_of_plain_loops_on_each_text_alone():
    layers, states = semantic(), draw(4, TOKENS, SIZE)
    routing = TransferRouting(COUNT, torch.Generator().manual_seed(2)).eval()
    with torch.no_grad():  # some experiences are taken from, and others not
        routing.decision.weight.copy_(draw(2, 300, seed=4))
    capsules = layers(states, mask())
    found = routing(capsules, EXPERIENCE, torch.tensor(LENGTHS))
    for text, length in enumerate(LENGTHS):
        own = naive.semantic(layers, states[text, :length])
        close(found[text, :length], naive.transfer(routing, own, int(EXPERIENCE[text])))


def test_what_to_take_is_one_or_none_and_drawn_in_training():
    routing = TransferRouting(COUNT, torch.Generator().manual_seed(2))
    with torch.no_grad():
        routing.decision.weight.zero_()
        routing.decision.bias.copy_(torch.tensor([0.75, 0.25]).log())
    features = draw(4000, 1, 300)
    torch.manual_seed(0)
    drawn = routing.train().decided(features)
    assert set(drawn.flatten().tolist()) <= {0.0, 1.0}
    assert float(drawn.detach().mean()) == pytest.approx(0.75, abs=0.03)
    drawn.sum().backward()
    assert routing.decision.weight.grad.any()
    assert (routing.eval().decided(features) == 1).all()


@pytest.mark.parametrize("kind", [RoutedAdapter, TransferAdapter])
def test_later_experiences_change_nothing_but_the_length_of_capsules(kind):
    options = {"experiences": COUNT, "tuning": "adapter", "adapter_size": 6}
    adapter = kind(context(**options), torch.Generator().manual_seed(0)).eval()
    capsules = draw(4, COUNT, TOKENS, 3) * mask()[:, None, :, None]
    other = capsules.clone()
    other[:2, 2] = 5.0  # of an experience that is to come for the first two texts
    other[2:, 2] = 5.0
    adapter.open((), mask(), EXPERIENCE)
    first, second = adapter.transferred(capsules), adapter.transferred(other)
    torch.testing.assert_close(first[:2], second[:2])
    assert not torch.allclose(first[2:], second[2:])


@pytest.mark.parametrize(("kind", "gated"), [(RoutedAdapter, True), (TransferAdapter, False)])
def test_the_adapter_reads_states_plus_capsules_and_adds_to_the_states(kind, gated):
    adapter = kind(context(experiences=COUNT, tuning="adapter", adapter_size=6), torch.Generator()).eval()
    states = draw(4, TOKENS, 32)
    gates = tuple(torch.rand(4, size, generator=torch.Generator().manual_seed(3)) for size in adapter.sizes)
    adapter.open(gates, mask(), EXPERIENCE)
    capsules = adapter.larger(adapter.transferred(adapter.semantic(states, mask())))
    if gated:
        capsules = capsules * gates[2].unsqueeze(1)
    inner = F.relu(adapter.first(states + capsules)) * gates[0].unsqueeze(1)
    wanted = states + F.relu(adapter.second(inner)) * gates[1].unsqueeze(1)
    torch.testing.assert_close(adapter(states), wanted)


@pytest.mark.parametrize("method", [BCL, CTR])
def test_what_belongs_to_an_experience_to_come_has_no_share_in_the_update(method):
    learner = method(context(experiences=COUNT, tuning="adapter", adapter_size=6))
    shares = {
        id(weight): share.expand_as(weight) for weight, share in learner.network.factors(torch.tensor([1]))
    }
    for adapter in learner.network.adapters():
        layer, weights = adapter.semantic.layers, adapter.routing.weights
        rows = [1.0] * 6 + [0.0] * 3
        assert shares[id(layer.bias)].tolist() == rows
        assert shares[id(layer.weight)][:, 0].tolist() == rows
        assert shares[id(weights)][0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]


def test_the_layer_after_the_routing_is_protected_by_its_gates():
    learner = BCL(context(tuning="adapter", adapter_size=6))
    used = learner.network.gates.used
    used.copy_(torch.rand(len(used), generator=torch.Generator().manual_seed(1)))
    shares = {
        id(weight): share.expand_as(weight) for weight, share in learner.network.factors(torch.tensor([1]))
    }
    larger = learner.network.adapters()[0].larger
    own = used[6 + 32 : 6 + 32 + 32]
    torch.testing.assert_close(shares[id(larger.weight)], (1 - own).unsqueeze(1).expand(32, 3))
    torch.testing.assert_close(shares[id(larger.bias)], 1 - own)
