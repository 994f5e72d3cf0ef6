"""EWC, L2, SI, MAS and LwF: each formula against an independent computation."""

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import Texts, context, experience, features, fit, of_texts, part

from baselines.ewc import EWC
from baselines.l2 import L2
from baselines.lwf import LwF
from baselines.mas import MAS
from baselines.si import SI
from clbench.core.batch import Batch
from clbench.methods import penalties

HEAD = "network.head.weight"
BIAS = "network.head.bias"


def move(learner, amount: float = 1.0) -> None:
    """Moves the weights by something that differs between them."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, weight in learner.named_trainable():
            weight.add_(amount * torch.randn(weight.shape, generator=generator))


def test_exact_fisher_of_a_linear_softmax_model_is_its_closed_form():
    learner = EWC(context(), fisher_examples=20)
    batch = features(20)
    with torch.no_grad():
        learner.network.head.weight.mul_(3)  # so that no label is nearly certain, and none nearly even
    estimate = learner.estimate(Texts(batch))
    p = learner.network(batch).softmax(1).detach()
    spread = p * (1 - p)  # sum over y of p_y (1[y = k] - p_k)^2
    torch.testing.assert_close(estimate[HEAD], spread.T @ batch.rows.square() / 20)
    torch.testing.assert_close(estimate[BIAS], spread.mean(0))


def test_fisher_of_true_labels_of_a_linear_softmax_model_is_its_closed_form():
    learner = EWC(context(), labels="true", fisher_examples=20)
    batch = features(20)
    estimate = learner.estimate(Texts(batch))
    x = batch.rows
    error = learner.network(batch).softmax(1).detach() - F.one_hot(batch.targets, 3)  # (20, 3)
    expected = (error[:, :, None] * x[:, None, :]).square().mean(0)  # d(-log p)/dW = (p - y) x^T
    torch.testing.assert_close(estimate[HEAD], expected)
    torch.testing.assert_close(estimate[BIAS], error.square().mean(0))


@pytest.mark.parametrize("labels", ["exact", "true"])
@pytest.mark.parametrize("tuning", ["full", "adapter", "lora"])
def test_fisher_of_an_encoder_is_that_of_a_loop_over_texts(tuning, labels):
    learner = EWC(context(tuning=tuning), labels=labels, fisher_examples=3)
    words = ["oil rose", "grain and ships", "a bank"]
    texts = [of_texts(learner.context.encoder, [each], [at]) for at, each in enumerate(words)]

    class Three:
        def batches(self, batch_size, *, prefix=None, limit=None):
            yield from texts

    estimate = learner.estimate(Three())
    expected = {name: torch.zeros_like(weight) for name, weight in learner.named_trainable()}
    learner.eval()
    for each in texts:
        probabilities = learner(each).softmax(1)[0].tolist()
        weighted = enumerate(probabilities) if labels == "exact" else [(int(each.targets), 1.0)]
        for label, share in weighted:
            learner.zero_grad()
            F.nll_loss(learner(each).log_softmax(1), torch.tensor([label])).backward()
            for name, weight in learner.named_trainable():
                if weight.grad is not None:
                    expected[name] += share * weight.grad**2 / 3
    for name, value in expected.items():
        torch.testing.assert_close(estimate[name], value)


@pytest.mark.parametrize(("method", "of"), [(EWC, torch.square), (MAS, torch.abs)])
def test_a_linear_layer_by_itself_has_the_importance_that_backward_passes_give(method, of, monkeypatch):
    learner, batch = method(context()), features(12, seed=3)
    directions = learner._likelihoods if method is EWC else learner._squared_norm
    at_once = penalties.mean_over_examples(learner, Texts(batch), directions, of, 12)
    monkeypatch.setattr(penalties, "_only_layer", lambda *_: None)
    monkeypatch.setattr(penalties, "GRADIENTS_AT_ONCE", 1)
    one_by_one = penalties.mean_over_examples(learner, Texts(batch), directions, of, 12)
    assert set(at_once) == {HEAD, BIAS}
    torch.testing.assert_close(at_once, one_by_one)


@pytest.mark.parametrize("labels", ["exact", "sampled"])
def test_fisher_does_not_depend_on_the_batch_size(labels):
    batch = features(12)
    estimates = []
    for size in (1, 12):
        learner = EWC(context(batch_size=size), labels=labels, fisher_examples=12)
        learner.generator.manual_seed(3)
        estimates.append(learner.estimate(Texts(batch))[HEAD])
    torch.testing.assert_close(*estimates, atol=0, rtol=0)


def test_sampled_fisher_approaches_the_expectation_under_the_model():
    learner = EWC(context(), labels="sampled", fisher_examples=4000)
    batch = part(features(1), slice(0, 1))
    many = Batch(*(getattr(batch, n).repeat_interleave(4000, 0) for n in
                   ("rows", "lengths", "targets", "class_mask", "experience")))  # fmt: skip
    learner.generator.manual_seed(0)
    estimate = learner.estimate(Texts(many))[BIAS]
    p = learner.network(batch).softmax(1).detach()[0]
    expected = p * (1 - p)  # sum over y of p_y (p - onehot_y)^2
    torch.testing.assert_close(estimate, expected, atol=0.03, rtol=0)


def test_fisher_sees_only_the_columns_that_a_text_may_be_given():
    batch = features(10)
    batch.class_mask[:, 2] = False
    batch.targets.clamp_(max=1)
    for labels in ("exact", "sampled", "true"):
        estimate = EWC(context(), labels=labels, fisher_examples=10).estimate(Texts(batch))
        assert estimate[BIAS][2] == 0
        assert estimate[BIAS][:2].min() > 0


@pytest.mark.parametrize("fisher", ["averaged", "online", "separate"])
def test_ewc_gradient_over_two_experiences_is_that_of_the_sum_written_out(fisher):
    learner = EWC(context(), strength=3.0, labels="true", fisher_examples=10, fisher=fisher, gamma=0.9)
    fishers, anchors = [], []
    for seed in (1, 2):
        texts = Texts(features(10, seed=seed))
        fishers.append(learner.estimate(texts))
        anchors.append({name: weight.detach().clone() for name, weight in learner.named_trainable()})
        learner.end_experience(None, texts)
        move(learner)
    batch = features(6, seed=9)
    learner.loss(batch).backward()
    cross_entropy = F.cross_entropy(learner(batch), batch.targets)
    gradients = torch.autograd.grad(cross_entropy, learner.network.parameters())
    plain = dict(zip((HEAD, BIAS), gradients, strict=True))
    for name, weight in learner.named_trainable():
        (f1, f2), (a1, a2) = ([each[name] for each in kept] for kept in (fishers, anchors))
        penalty = {
            "averaged": (f1 + f2) / 2 * (weight - a2),
            "online": (0.9 * f1 + f2) * (weight - a2),
            "separate": f1 * (weight - a1) + f2 * (weight - a2),
        }[fisher]
        torch.testing.assert_close(weight.grad, plain[name] + 3.0 * penalty.detach(), atol=1e-5, rtol=1e-4)


def test_l2_penalty_is_the_squared_distance_from_the_last_boundary():
    learner = L2(context(), strength=0.5)
    batch = features(6)
    assert learner.loss(batch) == F.cross_entropy(learner(batch), batch.targets)  # nothing to hold on to yet
    learner.end_experience(None, Texts(batch))
    before = learner.network.head.bias.detach().clone()
    with torch.no_grad():
        learner.network.head.bias += torch.tensor([1.0, 0.0, -2.0])
    penalty = learner.loss(batch) - F.cross_entropy(learner(batch), batch.targets)
    torch.testing.assert_close(penalty, torch.tensor(0.5 / 2 * (1 + 4)))
    learner.end_experience(None, Texts(batch))
    assert not torch.equal(learner.anchor[BIAS], before)


class Quadratic(SI):
    """SI whose loss is h / 2 |w - w*|^2 over all weights, under plain SGD."""

    curvature = 2.0
    optimum = 0.7

    def loss(self, batch):
        weights = torch.cat([weight.flatten() for _, weight in self.named_trainable()])
        return self.penalty.added_to(self.curvature / 2 * (weights - self.optimum).square().sum())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def test_si_importance_on_a_quadratic_is_the_analytic_value():
    steps, rate, damping, h = 20, 0.05, 0.1, Quadratic.curvature
    learner = Quadratic(context(lr=rate), damping=damping)
    start = {name: weight.detach().clone() for name, weight in learner.named_trainable()}
    fit(learner, [features(1)] * steps)
    learner.end_experience(None, None)
    for name in (HEAD, BIAS):
        error = start[name] - Quadratic.optimum
        shrink = 1 - rate * h  # per step: w - w* shrinks by it
        path = rate * (h * error) ** 2 * (1 - shrink ** (2 * steps)) / (1 - shrink**2)
        moved = error * (1 - shrink**steps)
        torch.testing.assert_close(
            learner.penalty.importance[name], path / (moved**2 + damping), atol=1e-5, rtol=1e-4
        )
    # As steps get smaller, the path becomes what the loss fell by: here it is within a tenth.
    fallen = h / 2 * (error**2 - (error * shrink**steps) ** 2)
    assert ((path - fallen).abs() <= 0.1 * fallen + 1e-6).all()


def test_si_counts_the_gradient_of_the_loss_without_the_penalty():
    rate, damping, strength, h = 0.05, 0.1, 4.0, Quadratic.curvature
    learner = Quadratic(context(lr=rate), strength=strength, damping=damping)
    fit(learner, [features(1)] * 5)
    learner.end_experience(None, None)
    first = learner.penalty.importance[BIAS].clone()
    anchor = learner.penalty.anchor[BIAS].clone()
    learner.optimum = -1.0
    fit(learner, [features(1)] * 5)
    learner.end_experience(None, None)
    w, path = anchor.clone(), torch.zeros(3)
    for _ in range(5):
        g = h * (w + 1.0)
        change = -rate * (g + strength * first * (w - anchor))
        path -= g * change
        w = w + change
    expected = first + path.clamp(min=0) / ((w - anchor) ** 2 + damping)
    torch.testing.assert_close(learner.penalty.importance[BIAS], expected, atol=1e-5, rtol=1e-4)


def test_mas_importance_of_a_linear_model_is_its_closed_form_and_adds_up():
    learner = MAS(context(), examples=10)
    first, second = features(10, seed=1), features(10, seed=2)
    expected = 0
    for batch in (first, second):
        learner.end_experience(None, Texts(batch))
        outputs, x = learner.network(batch).detach(), batch.rows
        expected += (2 * outputs[:, :, None] * x[:, None, :]).abs().mean(0)  # d|f|^2/dW = 2 f x^T
    torch.testing.assert_close(learner.penalty.importance[HEAD], expected)


def test_lwf_gradient_is_that_of_the_papers_modified_cross_entropy_times_t_squared():
    learner = LwF(context(), strength=1.5, temperature=2.0)
    batch = features(8)
    batch.targets[:] = 2
    learner.end_experience(experience(0, 0, 1), Texts(batch))
    old = learner.network(batch).detach()[:, :2]
    move(learner, 0.3)
    logits = learner.network(batch).detach().requires_grad_()
    learner.forward = lambda _: logits
    learner.loss(batch).backward()
    again = logits.detach().clone().requires_grad_()
    p_old, p = old.softmax(1), again[:, :2].softmax(1)
    sharpened = [each.sqrt() / each.sqrt().sum(1, keepdim=True) for each in (p_old, p)]  # y^(1/2), normalized
    modified = -(sharpened[0] * sharpened[1].log()).sum(1).mean()
    (F.cross_entropy(again, batch.targets) + 1.5 * 4 * modified).backward()
    torch.testing.assert_close(logits.grad, again.grad)


def test_lwf_distils_each_earlier_experience_by_itself_where_the_experience_is_known():
    for aware, expected in ((True, [[0], [1]]), (False, [[0, 1]])):
        learner = LwF(context(task_aware=aware))
        assert learner.groups() == []
        learner.end_experience(experience(0, 0), None)
        learner.end_experience(experience(1, 1), None)
        assert [group.nonzero()[:, 0].tolist() for group in learner.groups()] == expected


def test_lwf_teacher_is_the_model_at_the_boundary_without_dropout():
    learner = LwF(context(tuning="full"))
    batch = of_texts(learner.context.encoder, ["oil prices rose"])
    learner.eval()
    expected = learner(batch).detach()
    learner.end_experience(experience(0, 0), None)
    move(learner, 0.1)
    learner.train()
    torch.testing.assert_close(learner.teach(batch), expected)
    assert learner.network.training
