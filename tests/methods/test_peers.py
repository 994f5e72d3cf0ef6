"""Whole streams of each method, step by step as in a plain loop that uses nothing of clbench."""

import pytest
import torch
from support import naive_methods, naive_rehearsal
from support.formula_parts import SIZE, Texts, context, experience, fit, part

from clbench.core.batch import Batch
from clbench.engine.registry import baseline_class

COLUMNS = [[0, 1], [2, 3], [4, 5]]
METHODS = {
    "Naive": ("finetune", {}),
    "SeparateEWC": ("ewc", {"strength": 100.0, "fisher": "separate"}),
    "OnlineEWC": ("ewc", {"strength": 100.0, "fisher": "online"}),
    "MAS": ("mas", {"strength": 0.1}),
    "SI": ("si", {"strength": 1.0}),
    "LwF": ("lwf", {"strength": 1.0}),
    "ER": ("replay", {"capacity": 20}),
    "BalancedER": ("replay", {"capacity": 20, "fill": "per-class"}),
    "DER": ("der", {"capacity": 20, "alpha": 0.5}),
    "DERPP": ("derpp", {"capacity": 20, "alpha": 0.5, "beta": 0.5}),
    "AGEM": ("agem", {"capacity": 20}),
    "ERACE": ("erace", {"capacity": 20}),
    "GDumb": ("gdumb", {"capacity": 20}),
    "SEQStar": ("seqstar", {"classifier": "linear"}),
    "CosineSEQStar": ("seqstar", {"scale": 10.0}),
}


def clusters(index: int) -> Batch:
    """The 40 texts of an experience: two clusters of features, whose centers are near those of others."""
    generator = torch.Generator().manual_seed(index)
    targets = torch.tensor(COLUMNS[index]).repeat(20)
    centers = torch.randn(6, SIZE, generator=torch.Generator().manual_seed(9))
    rows = centers[targets] + torch.randn(40, SIZE, generator=generator)
    return Batch(
        rows,
        torch.ones(40, dtype=torch.int64),
        targets,
        torch.ones(40, 6, dtype=torch.bool),
        torch.full((40,), index),
    )


def stream() -> list[tuple[Batch, list[Batch]]]:
    """The texts of each experience, and its batches over four epochs, each in an order of its own."""
    found = []
    for index in range(3):
        texts, generator = clusters(index), torch.Generator().manual_seed(index)
        orders = [torch.randperm(40, generator=generator) for _ in range(4)]
        found.append((texts, [part(texts, at) for order in orders for at in order.split(8)]))
    return found


@pytest.mark.parametrize("name", METHODS)
def test_three_experiences_end_with_the_weights_of_a_plain_loop(name):
    baseline, arguments = METHODS[name]
    options = {"columns": 6, "experiences": 3, "lr": 0.05, "batch_size": 16}
    learner = baseline_class(baseline)(context(**options), **arguments)
    head = learner.network.head
    peer = {**vars(naive_methods), **vars(naive_rehearsal)}[name](head.weight, head.bias, 0.05, COLUMNS)
    start = head.weight.detach().clone()
    for index, (texts, batches) in enumerate(stream()):
        learner.generator.manual_seed(index)
        peer.generator.manual_seed(index)
        learner.begin_experience(experience(index, *COLUMNS[index]), Texts(texts))
        fit(learner, batches)
        learner.end_experience(experience(index, *COLUMNS[index]), Texts(texts))
        peer.learn(index, [(each.rows, each.targets) for each in batches], (texts.rows, texts.targets))
        torch.testing.assert_close(head.weight.detach(), peer.w[0].detach(), atol=2e-4, rtol=1e-3)
        torch.testing.assert_close(head.bias.detach(), peer.w[1].detach(), atol=2e-4, rtol=1e-3)
    assert (head.weight - start).abs().max() > 0.1
