"""OWM against the recursion of its paper, and against what it promises."""

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import Texts, context, features, fit, of_texts

from baselines.finetune import Finetune
from baselines.owm import OWM

HEAD = "head"


def test_projector_is_that_of_the_papers_recursion_over_single_inputs():
    learner = OWM(context(), alpha=0.3)
    expected = torch.eye(33, dtype=torch.float64)
    for seed in (1, 2):
        batch = features(10, seed=seed)
        learner.end_experience(None, Texts(batch))
        for row in batch.rows.double():
            x = torch.cat([row, torch.ones(1, dtype=torch.float64)])
            k = expected @ x / (0.3 + x @ expected @ x)
            expected = expected - torch.outer(k, expected @ x)
    torch.testing.assert_close(learner.projectors[HEAD], expected)


@pytest.mark.parametrize(("baseline", "unchanged"), [(OWM, True), (Finetune, False)])
def test_outputs_on_earlier_inputs_stay_as_they_were(baseline, unchanged):
    arguments = {"alpha": 1e-6} if baseline is OWM else {}
    learner = baseline(context(lr=0.1), **arguments)
    old, new = features(12, seed=1), features(12, seed=2)
    fit(learner, [old] * 5)
    learner.end_experience(None, Texts(old))
    before, start = learner(old).detach(), F.cross_entropy(learner(new), new.targets)
    fit(learner, [new] * 20)
    assert F.cross_entropy(learner(new), new.targets) < 0.7 * start  # it did learn
    assert torch.allclose(learner(old), before, atol=1e-4) == unchanged


@pytest.mark.parametrize("tuning", ["full", "adapter", "lora"])
def test_in_an_encoder_linear_layers_train_and_keep_their_outputs_on_earlier_tokens(tuning):
    learner = OWM(context(tuning=tuning, lr=0.1), alpha=1e-7)
    encoder = learner.context.encoder
    old = of_texts(encoder, ["oil", "grain ships"])
    new = of_texts(encoder, ["a new film", "the best game player"])
    learner.end_experience(None, Texts(old))
    inputs = {}
    for name, layer in learner.layers.items():
        layer.register_forward_pre_hook(lambda _, given, name=name: inputs.__setitem__(name, given[0]))
    learner.eval()
    with torch.no_grad():
        learner(old)
    kept = {name: (given.clone(), learner.layers[name](given).detach()) for name, given in inputs.items()}
    frozen = {name: w.clone() for name, w in learner.named_parameters() if not w.requires_grad}
    new.targets[:] = torch.tensor([1, 2])
    fit(learner, [new] * 3)
    learner.eval()
    assert learner.layers
    for name, (given, output) in kept.items():
        real = old.padded()[1] if given.dim() == 3 else slice(None)
        torch.testing.assert_close(learner.layers[name](given)[real], output[real], atol=1e-4, rtol=0)
    for name, weight in learner.named_parameters():
        assert weight.requires_grad or torch.equal(weight, frozen[name])
