"""A frozen encoder that is fine-tuned between experiences: who sees which encoder, and when."""

import copy
import json
from pathlib import Path

import pytest
import torch
from support.compare_results import comparable

from clbench.core.batch import masked_mean, padded
from clbench.core.errors import UserError
from clbench.core.seeding import derive, seeded
from clbench.engine import encoder_drift
from clbench.engine.build import Run, prepare
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.models.layers import linear
from clbench.testing.streams import write_texts


@pytest.fixture
def scenario(tmp_path) -> Path:
    write_texts(tmp_path / "data")
    path = tmp_path / "six.yaml"
    path.write_text(
        "kind: class\ndata: data/six\nclasses_per_experience: 2\nencoder_drift: 0.01\n"
        "protocol: {max_tokens: 16, epochs: 1, batch_size: 4}\n"
    )
    return path


def made(scenario: Path, baseline: str = "ncm", results: str = "runs", **more) -> Run:
    options = {"scenario": str(scenario), "baseline": baseline, "encoder": "tiny", "threads": 1}
    return prepare(run_config({**options, "results": str(scenario.parent / results), **more}))


def encoders(run: Run) -> list[str]:
    """The fingerprint of the encoder in each stage."""
    found = []
    for index in range(len(run.stream.stages)):
        encoder_drift.drift_encoder(run, index)
        found.append(run.data.encoder.fingerprint)
    return found


def test_class_means_are_of_the_encoder_then_and_test_texts_of_the_encoder_now(scenario):
    result, run = execute(made(scenario)), made(scenario)
    means = {}
    for index, experience in enumerate(run.stream.experiences):
        encoder_drift.drift_encoder(run, index)
        encoder, splits = run.data.encoder, experience.splits
        for column in experience.columns:
            rows = features(encoder, splits["train"].filter(lambda row, own=column: row["column"] == own))
            means[column] = rows.mean(0)
        table = torch.nn.functional.normalize(torch.stack([means[each] for each in sorted(means)]))
        for past in range(index + 1):
            split = run.stream.experiences[past].splits["test"]
            near = (torch.nn.functional.normalize(features(encoder, split)) @ table.T).argmax(1)
            right = torch.tensor(sorted(means))[near] == torch.tensor(split["column"])
            assert result.accuracy[index][past] == pytest.approx(right.double().mean().item())


def features(encoder, split) -> torch.Tensor:
    """The mean states of texts, without any cache."""
    tokens = encoder.tokenize(split["text"], [None] * len(split), 16)
    rows, mask = padded(*(torch.from_numpy(each) for each in tokens.packed(range(len(split)))))
    return masked_mean(encoder.frozen_states(rows, mask), mask).double()


def test_the_encoder_is_another_one_in_each_stage_and_the_same_for_all_methods(scenario, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(scenario.parent / "cache"))
    calls = []
    original = encoder_drift.fine_tuned
    monkeypatch.setattr(encoder_drift, "fine_tuned", lambda *given: calls.append(1) or original(*given))
    first = encoders(made(scenario))
    assert len(set(first)) == 3
    assert len(calls) == 2
    assert encoders(made(scenario, "dkvb", arguments={"heads": 4, "keys": 8}, seed=5)) == first
    joint = encoders(made(scenario, "finetune", tuning="frozen", joint=True))
    assert joint == first[-1:]
    assert len(calls) == 2
    assert not set(encoders(made(scenario, order="random:1"))[1:]) & set(first)


def test_fine_tuning_is_that_of_a_naive_loop(scenario, monkeypatch):
    run = made(scenario)
    encoder, split = run.encoder, run.stream.experiences[0].splits["train"]
    monkeypatch.setattr(encoder, "_make_model", without_dropout(encoder.model()))
    found = encoder_drift.fine_tuned(encoder, run.data.texts(split, None), 6, 0.01, 4)
    with seeded(derive(0, "encoder drift")):
        model, head = encoder.model(), linear(encoder.hidden_size, 6, None)
        order = torch.randperm(len(split)).tolist()
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.01)
    for begin in range(0, len(order), 4):
        losses = []
        for row in map(split.__getitem__, order[begin : begin + 4]):  # one by one: without padding
            ids = torch.tensor([encoder.tokenizer(row["text"], truncation=True, max_length=16)["input_ids"]])
            mean = model(input_ids=ids).last_hidden_state[0].mean(0)
            losses.append(-torch.log_softmax(head(mean), 0)[row["column"]])
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        norm = sum(each.grad.square().sum() for each in parameters).sqrt()
        for each in parameters:
            each.grad /= max(1.0, norm)
        optimizer.step()
    for name, each in model.named_parameters():
        if not name.endswith("key.bias"):  # its gradient is zero but for rounding, which Adam enlarges
            assert torch.allclose(found[name].float(), each, rtol=0.01, atol=1e-3), name


def without_dropout(model):
    """What makes copies of a model that drops nothing in training."""
    for module in model.modules():
        for name in {"p", "dropout_prob"} & set(vars(module)):
            setattr(module, name, 0.0)
    return lambda: copy.deepcopy(model)


def test_fine_tuning_moves_every_parameter_and_only_of_the_new_encoder(scenario):
    run = made(scenario)
    encoder, split = run.encoder, run.stream.experiences[0].splits["train"]
    before = {name: each.clone() for name, each in encoder.model().named_parameters()}
    found = encoder_drift.fine_tuned(encoder, run.data.texts(split, None), 6, 0.01, 4)
    assert found.keys() == before.keys()
    assert all((found[name] != before[name]).any() for name in before)
    changed = dict(encoder.with_weights(found).model().named_parameters())
    assert all(torch.equal(changed[name], found[name].float()) for name in found)
    after = dict(encoder.model().named_parameters())
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({"baseline": "finetune", "tuning": "full"}, "tuning frozen"),
        ({"cache_features": False}, "cache_features"),
    ],
)
def test_who_cannot_follow_the_encoder_is_refused_before_anything_is_written(scenario, options, right):
    with pytest.raises(UserError, match=f"six' changes the frozen encoder between experiences.*{right}"):
        made(scenario, **options)
    assert not (scenario.parent / "runs").exists()


def test_a_run_that_was_stopped_ends_like_one_that_was_not(scenario):
    whole = made(scenario, "finetune", "whole", tuning="frozen")
    execute(whole)

    class StopError(Exception):
        pass

    def stop(stage, result):
        if stage == 1:
            raise StopError

    part = made(scenario, "finetune", "part", tuning="frozen")
    try:
        execute(part, on_stage=stop)
    except StopError:
        pass
    else:
        pytest.fail("it was not stopped")
    again = made(scenario, "finetune", "part", tuning="frozen")
    execute(again)
    one, two = (json.loads(run.path.read_text()) for run in (whole, again))
    assert comparable(one) == comparable(two)
    assert one["config"]["encoder_drift"] == 0.01
