"""OSF: how weights are split, what of them may move, and that the rest does not."""

import pytest
import torch
from support.formula_parts import Texts, context, experience, fit, of_texts

from baselines.osf import OSF
from clbench.models.encoder import token_states
from clbench.models.split_weights import SplitLinear

WORDS = ["the oil price", "a bank", "question about one function", "film"]


def split(rows: int, columns: int, share: float = 0.5) -> tuple[torch.Tensor, SplitLinear]:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    return weight, SplitLinear(weight, torch.ones(rows), share)


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (4, 7), (7, 4)])
def test_a_weight_is_the_sum_of_its_large_and_small_singular_values(rows, columns):
    weight, layer = split(rows, columns)
    least, k = min(rows, columns), min(rows, columns) // 2
    u, s, v = torch.linalg.svd(weight)
    kept, free = torch.zeros(rows, columns), torch.zeros(rows, columns)
    for at in range(least):
        part = kept if at < k else free
        part += s[at] * torch.outer(u[:, at], v[at])
    torch.testing.assert_close(layer.kept, kept, atol=1e-5, rtol=0)
    torch.testing.assert_close((layer.u * layer.s) @ layer.v, free, atol=1e-5, rtol=0)
    x = torch.randn(3, columns)
    torch.testing.assert_close(layer(x), x @ weight.T + 1, atol=1e-5, rtol=0)


def test_protection_leaves_nothing_in_kept_directions_and_the_rest_as_it_is():
    _, layer = split(6, 5)
    with torch.no_grad():
        layer.u.add_(torch.randn(layer.u.shape))
        layer.v.add_(torch.randn(layer.v.shape))
    wanted = layer.u - layer.kept_u @ torch.linalg.lstsq(layer.kept_u, layer.u).solution
    before = layer.weight.detach()
    layer.protect()
    torch.testing.assert_close(layer.u, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.kept_u.T @ layer.u, torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.v @ layer.kept_v.T, torch.zeros(3, 2), atol=1e-5, rtol=0)
    assert not torch.allclose(layer.weight, before, atol=1e-2)


def test_the_encoder_starts_as_it_was_and_what_is_kept_stays_while_an_experience_is_learned():
    torch.manual_seed(0)
    learner = OSF(context(tuning="full", lr=1e-2))
    encoder = learner.context.encoder
    batch = of_texts(encoder, WORDS, [0, 1, 2, 0])
    rows, mask = batch.padded()
    with torch.no_grad():
        start = token_states(learner.network.encoder.eval(), rows, mask)
        torch.testing.assert_close(start, encoder.frozen_states(rows, mask), atol=1e-4, rtol=0)
    frozen = {name: each.clone() for name, each in learner.state_dict().items()}
    pretrained = encoder.model()
    fit(learner, [batch] * 20)
    assert len(learner.layers) == 12
    trained = {name for name, _ in learner.named_trainable()}
    for name, each in learner.state_dict().items():
        assert (name in trained) or torch.equal(each, frozen[name]), name
    for name, layer in learner.layers.items():
        moved = layer.weight.detach() - pretrained.get_submodule(name.removeprefix("network.encoder.")).weight
        assert moved.abs().max() > 1e-2
        assert (layer.kept_u.T @ moved).abs().max() < 1e-4
        assert (moved @ layer.kept_v.T).abs().max() < 1e-4
    learner.eval()
    logits = learner(batch).detach()
    learner.end_experience(experience(0, 0, 1, 2), Texts(batch))
    torch.testing.assert_close(learner(batch), logits, atol=1e-3, rtol=0)
    some = next(iter(learner.layers.values()))
    values = torch.linalg.svdvals(some.weight)
    torch.testing.assert_close(some.s, values[some.count :], atol=1e-4, rtol=0)


def test_all_of_the_split_weights_are_carried_and_no_embedding_is():
    learner = OSF(context(tuning="full"))
    own = [name for name in learner.state_dict() if "embeddings" not in name and "LayerNorm" not in name]
    assert learner.carried_bytes()["weights"] == sum(learner.state_dict()[name].nbytes for name in own)
