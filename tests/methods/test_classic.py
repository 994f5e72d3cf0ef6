"""CLASSIC: its contrastive loss, its attention between experiences, and what the loss is made of."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import context, experience, of_texts

from baselines.classic import CLASSIC
from clbench.methods.contrastive import TaskAttention, supervised_contrastive


def test_the_contrastive_loss_is_that_of_plain_loops():
    views = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 0, 2, 1])
    vectors = [F.normalize(vector, dim=0) for view in views for vector in view]
    classes = targets.tolist() * 2
    total = 0.0
    for i, anchor in enumerate(vectors):
        others = [j for j in range(10) if j != i]
        below = sum(float((anchor @ vectors[j] / 0.5).exp()) for j in others)
        positives = [j for j in others if classes[j] == classes[i]]
        shares = [float((anchor @ vectors[j] / 0.5).exp()) / below for j in positives]
        total -= sum(float(torch.tensor(share).log()) for share in shares) / len(positives)
    assert float(supervised_contrastive(views, targets, 0.5)) == pytest.approx(total / 10, abs=1e-5)


def test_attention_is_that_of_plain_loops():
    attention = TaskAttention(3, torch.Generator().manual_seed(0))
    features = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(attention(features), features.sum(2))  # gamma is 0 at the start
    with torch.no_grad():
        attention.gamma.fill_(0.7)
    for text, x in enumerate(features):
        q, k, v = (
            torch.stack([layer(row) for row in x])
            for layer in (attention.query, attention.key, attention.value)
        )
        wanted = x.sum(1)
        for i in range(3):
            shares = torch.stack([(q[:, i] * k[:, j]).sum() for j in range(3)]).softmax(0)
            wanted = wanted + 0.7 * sum(shares[j] * v[:, j] for j in range(3))
        torch.testing.assert_close(attention(features)[text], wanted, atol=1e-5, rtol=1e-5)


def test_the_loss_is_that_of_own_and_of_mixed_features():
    learner = CLASSIC(context(experiences=3, tuning="adapter", adapter_size=6), temperature=2.0)
    learner.eval()  # without dropout; gates at their hardest
    words = ["oil prices", "grain ships", "a bank", "best film"]
    batch = of_texts(learner.context.encoder, words, [0, 1, 0, 1])
    batch = replace(batch, experience=torch.full_like(batch.experience, 2))
    network, targets = learner.network, batch.targets
    own = network.features(batch)
    usage = 0.75 * network.gates.usage(batch.experience)
    first = F.cross_entropy(network.head(own), targets) + usage
    first = first + supervised_contrastive(torch.stack([own, own]), targets, 2.0)
    learner.begin_experience(experience(2, 0, 1, 2), None)
    torch.testing.assert_close(learner.loss(batch), first)
    for at in (1, 2):
        learner.begin_experience(experience(at, 0, 1, 2), None)
    earlier = network.features(replace(batch, experience=torch.full_like(batch.experience, 1)))
    mixed = learner.attention[0](torch.stack([earlier, own], 2))
    second = F.cross_entropy(network.head(mixed), targets) + usage
    second = second + supervised_contrastive(torch.stack([own, mixed]), targets, 2.0)
    torch.testing.assert_close(learner.loss(batch), first + second)


def test_features_of_earlier_experiences_have_no_gradient_and_hard_gates():
    learner = CLASSIC(context(experiences=2, tuning="adapter", adapter_size=6))
    learner.train()
    for module in learner.network.encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    batch = of_texts(learner.context.encoder, ["oil prices", "a bank"], [0, 1])
    batch = replace(batch, experience=torch.ones_like(batch.experience))
    learner.network.gates.scale = 0.5
    found = learner.network.features_under(batch, 0)
    assert not found.requires_grad
    assert learner.network.gates.scale == 0.5
    learner.eval()
    wanted = learner.network.features(replace(batch, experience=torch.zeros_like(batch.experience)))
    torch.testing.assert_close(found, wanted.detach())
