"""EWC of a language model: the Fisher information is that of all next tokens of a text."""

import torch
from support.language_runs import language_run


def test_the_fisher_information_is_the_mean_square_of_gradients_of_whole_texts(tmp_path):
    run = language_run(tmp_path, "ewc", tuning="lora", arguments={"fisher_examples": 3, "labels": "true"})
    learner = run.learner
    found = learner.estimate(run.data.reader(0))
    names, weights = zip(*learner.named_trainable(), strict=True)
    expected = [torch.zeros_like(weight) for weight in weights]
    learner.eval()
    for batch in run.data.reader(0).batches(1, limit=3):
        ids = batch.rows[:, 0].long()
        logits = learner(batch)
        total = sum(logits[at].log_softmax(0)[ids[at + 1]] for at in range(len(ids) - 1))
        for square, gradient in zip(expected, torch.autograd.grad(total, weights), strict=True):
            square += gradient.square() / 3
    for name, square in zip(names, expected, strict=True):
        assert torch.allclose(found[name], square, rtol=1e-4, atol=1e-9), name
    assert any(square.abs().max() > 0 for square in expected)


def test_sampled_tokens_come_from_the_model_and_the_generator(tmp_path):
    run = language_run(tmp_path, "ewc", tuning="lora", arguments={"fisher_examples": 2})
    learner = run.learner
    assert learner.labels == "sampled"
    both = []
    for _ in range(2):
        learner.generator.manual_seed(1)
        both.append(learner.estimate(run.data.reader(0)))
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])
    learner.generator.manual_seed(2)
    other = learner.estimate(run.data.reader(0))
    assert any(not torch.equal(other[name], both[0][name]) for name in other)
