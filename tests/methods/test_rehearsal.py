"""Memories, ER, DER, DER++ and A-GEM: each formula against an independent computation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import COLUMNS, Texts, context, features, fit, of_texts
from support.naive_rehearsal import Memory

from baselines.agem import AGEM, project
from baselines.der import DER, DERPP
from baselines.replay import Replay
from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.methods.replay_buffer import ReplayBuffer


def step(learner, batch: Batch) -> torch.Tensor:
    """The loss of a training step, after which the learner may remember the batch."""
    loss = learner.loss(batch)
    learner.on_train_batch_end(None, batch, 0)
    return loss


def numbered(count: int, targets: torch.Tensor | None = None) -> Batch:
    """Texts whose one row is their number."""
    batch = features(count)
    rows = torch.arange(float(count))
    return Batch(
        rows, batch.lengths, batch.targets if targets is None else targets, batch.class_mask, batch.experience
    )


def test_reservoir_keeps_every_text_equally_often():
    counts = np.zeros(40)
    generator = torch.Generator().manual_seed(0)
    for _ in range(600):
        buffer = ReplayBuffer(8, 1, (), torch.float32, COLUMNS, 1)
        buffer.add(numbered(40), generator)
        counts[buffer.rows[:, 0].int().numpy()] += 1
    expected = 600 * 8 / 40
    # Chi-square with 39 degrees of freedom: 72.1 is its 99.9 % point.
    assert ((counts - expected) ** 2 / expected).sum() < 72.1


STREAMS = {
    "one class after the other": [0] * 40 + [2] * 30 + [1] * 20,
    "one class alone": [1] * 50,
    "rare classes in between": ([0] * 9 + [1]) * 5 + ([2] + [0] * 4) * 6,
}


@pytest.mark.parametrize("fill", ["per-class", "per-experience"])
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 7])
def test_a_balanced_buffer_is_that_of_the_papers_algorithm(name, fill, size):
    groups = STREAMS[name]
    texts = numbered(len(groups), torch.tensor(groups))
    if fill == "per-experience":
        texts = Batch(texts.rows, texts.lengths, texts.targets * 0, texts.class_mask, texts.targets)
    for seed in range(5):
        buffer = ReplayBuffer(12, 1, (), torch.float32, COLUMNS, 3, fill)
        generator = torch.Generator().manual_seed(seed)
        for batch in texts.split(size):
            buffer.add(batch, generator)
            stopped = ReplayBuffer(12, 1, (), torch.float32, COLUMNS, 3, fill)
            stopped.load_state_dict(buffer.state_dict())
            buffer = stopped
        expected = Memory(12, balanced=True)
        expected.add_all(list(range(len(groups))), groups, torch.Generator().manual_seed(seed))
        assert buffer.rows[:, 0].int().tolist() == expected.items
        assert len(buffer) == 12


def test_classes_seen_share_the_whole_capacity_and_each_text_of_a_class_is_kept_equally_often():
    targets = torch.tensor([0] * 30 + [2] * 20)
    counts = np.zeros(50)
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        buffer = ReplayBuffer(12, 1, (), torch.float32, COLUMNS, 1, "per-class")
        buffer.add(numbered(50, targets), generator)
        memory = buffer.batch(buffer.draw(12, generator))
        assert sorted(memory.targets.tolist()) == [0] * 6 + [2] * 6  # class 1 holds no place before it comes
        counts[memory.rows.int().numpy()] += 1
    expected = np.array([400 * 6 / 30] * 30 + [400 * 6 / 20] * 20)
    # Chi-square with 29 + 19 degrees of freedom: 84.0 is its 99.9 % point.
    assert ((counts - expected) ** 2 / expected).sum() < 84.0


def test_a_buffer_has_a_place_for_each_group_that_it_is_balanced_over():
    for fill, least in (("reservoir", 1), ("per-class", COLUMNS), ("per-experience", 2)):
        assert ReplayBuffer(least, 1, (), torch.float32, COLUMNS, 2, fill).capacity == least
        words = f"capacity {least - 1}: a {fill} buffer of this scenario holds at least {least} texts"
        with pytest.raises(UserError, match=words):
            ReplayBuffer(least - 1, 1, (), torch.float32, COLUMNS, 2, fill)


def test_a_draw_is_without_replacement_and_uniform():
    buffer = ReplayBuffer(16, 1, (), torch.float32, COLUMNS, 1)
    generator = torch.Generator().manual_seed(0)
    buffer.add(numbered(10), generator)
    counts = np.zeros(10)
    for _ in range(500):
        drawn = buffer.batch(buffer.draw(4, generator)).rows.int().tolist()
        assert len(set(drawn)) == 4
        counts[drawn] += 1
    assert ((counts - 200) ** 2 / 200).sum() < 27.9  # chi-square, 9 degrees of freedom, 99.9 %
    assert len(buffer.draw(99, generator)) == 10


def test_replay_adds_an_equal_batch_from_the_memory_with_its_own_columns():
    learner = Replay(context(), capacity=8)
    old, new = features(8, seed=3), features(8, seed=4)
    old.class_mask[:, 1:] = False
    old.targets[:] = 0
    learner.train()
    step(learner, old)
    loss = step(learner, new)
    current = F.cross_entropy(learner.network(new), new.targets)
    torch.testing.assert_close(loss, current / 2)  # the old texts have one column left: their loss is 0
    assert int(learner.buffer.seen) == 16
    learner.eval()
    learner.scores(new)
    assert int(learner.buffer.seen) == 16  # evaluation is not remembered


@pytest.mark.parametrize("method", [Replay, DER, DERPP])
def test_the_loss_alone_leaves_the_buffer_as_it_is(method):
    learner = method(context(), capacity=12)
    learner.train()
    step(learner, features(8, seed=3))
    before = {name: each.clone() for name, each in learner.state_dict().items()}
    for _ in range(2):
        learner.loss(features(8, seed=4))
    for name, each in learner.state_dict().items():
        assert torch.equal(each, before[name]), name
    step(learner, features(8, seed=4))
    assert int(learner.buffer.seen) == 16


@pytest.mark.parametrize("method", [DER, DERPP])
def test_the_buffer_keeps_the_logits_of_the_training_step_and_not_those_after_it(method):
    learner = method(context(lr=0.1), capacity=16)
    old = features(8, seed=3)
    before = learner.network(old).detach()
    fit(learner, [old])
    assert not torch.allclose(learner.network(old), before)
    torch.testing.assert_close(learner.buffer.logits[:8], before)
    assert not [name for name in learner.state_dict() if name == "logits"]


def move(learner) -> None:
    with torch.no_grad():
        learner.network.head.weight.add_(0.1)


def test_der_adds_the_mean_square_of_changes_of_remembered_logits():
    learner = DER(context(), capacity=8, alpha=0.7)
    old, new = features(8, seed=3), features(8, seed=4)
    old.class_mask[:4, 2] = False
    old.targets.clamp_(max=1)
    learner.train()
    torch.testing.assert_close(
        step(learner, old),
        F.cross_entropy(learner.network(old).masked_fill(~old.class_mask, -1e30), old.targets),
    )
    before = learner.network(old).detach()
    torch.testing.assert_close(learner.buffer.logits, before)
    move(learner)
    squares = (learner.network(old) - before).square()
    kept = [squares[i, j] for i in range(8) for j in range(3) if old.class_mask[i, j]]
    expected = F.cross_entropy(learner.network(new), new.targets) + 0.7 * torch.stack(kept).mean()
    torch.testing.assert_close(learner.loss(new), expected)


def test_derpp_adds_the_cross_entropy_on_remembered_labels():
    learner = DERPP(context(), capacity=8, alpha=0.7, beta=0.3)
    old, new = features(8, seed=3), features(8, seed=4)
    learner.train()
    step(learner, old)
    before = learner.network(old).detach()
    move(learner)
    after = learner.network(old)
    expected = F.cross_entropy(learner.network(new), new.targets)
    expected = expected + 0.7 * F.mse_loss(after, before) + 0.3 * F.cross_entropy(after, old.targets)
    torch.testing.assert_close(learner.loss(new), expected)


def gradient_of(learner, batch: Batch) -> torch.Tensor:
    loss = F.cross_entropy(learner(batch), batch.targets)
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, learner.network.parameters())])


def test_agem_never_raises_the_loss_on_the_memory_to_first_order():
    seen = []

    class Watched(AGEM):
        def on_before_optimizer_step(self, optimizer):
            seen.append(torch.cat([weight.grad.flatten() for weight in self.network.parameters()]))

    conflicts = 0
    for seed in range(6):
        learner = Watched(context(), capacity=8, reference=8)
        old, new = features(8, seed=seed), features(8, seed=100 + seed)
        new.rows[:] = old.rows
        new.targets[:] = (old.targets + 1 + seed % 2) % 3  # other labels for the same texts: a conflict
        learner.end_experience(None, Texts(old))
        g, r = gradient_of(learner, new), gradient_of(learner, old)
        fit(learner, [new])
        expected = g if g @ r >= 0 else g - (g @ r) / (r @ r) * r
        conflicts += int(g @ r < 0)
        torch.testing.assert_close(seen[-1], expected, atol=1e-6, rtol=1e-4)
        assert seen[-1] @ r >= -1e-6
    assert conflicts > 2


def test_agem_takes_plain_steps_along_the_projected_gradient():
    learner = AGEM(context(lr=0.5), capacity=8, reference=8)
    old, new = features(8, seed=3), features(8, seed=4)
    new.rows[:] = old.rows
    new.targets[:] = (old.targets + 1) % 3
    learner.end_experience(None, Texts(old))
    before = torch.cat([weight.detach().flatten() for weight in learner.network.parameters()])
    g, r = gradient_of(learner, new), gradient_of(learner, old)
    assert g @ r < 0
    fit(learner, [new])
    after = torch.cat([weight.detach().flatten() for weight in learner.network.parameters()])
    torch.testing.assert_close(after, before - 0.5 * (g - (g @ r) / (r @ r) * r), atol=1e-6, rtol=1e-4)


def test_agem_keeps_equally_many_texts_of_each_experience():
    learner = AGEM(context(experiences=3), capacity=12)
    for index, count in enumerate((20, 30)):
        learner.end_experience(None, Texts(features(count, seed=index, experience=index)))
        assert torch.bincount(learner.buffer.experience).tolist() == [[12], [6, 6]][index]


def test_agem_leaves_a_gradient_without_conflict_alone():
    g, r = [torch.tensor([1.0, 2.0])], (torch.tensor([0.5, 0.0]),)
    assert project(g, r)[0] is g[0]


def test_a_memory_holds_token_ids_of_whole_texts():
    learner = Replay(context(tuning="full"), capacity=4)
    texts = of_texts(learner.context.encoder, ["oil", "grain and ships of the gulf"])
    assert learner.buffer.rows.shape == (4, 16, 2)
    learner.buffer.add(texts, torch.Generator().manual_seed(0))
    memory = learner.buffer.batch(torch.tensor([0, 1]))
    assert torch.equal(memory.rows, texts.rows)
    assert torch.equal(memory.lengths, texts.lengths)
