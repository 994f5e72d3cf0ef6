"""Runs of language models: what is measured, resumed, refused."""

import math
from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.language_runs import language_run

from clbench.core.errors import UserError
from clbench.core.language_metrics import rouge_l
from clbench.core.result import RunResult
from clbench.engine.checkpoint import Checkpoints
from clbench.engine.language_scoring import general_texts, likelihoods
from clbench.engine.loop import execute
from clbench.models import tiny_lm


def naive_bits(model, tokenizer, texts, limit):
    """Bits per byte by a loop over tokens; a token of this tokenizer is a byte."""
    nats = count = 0
    for text in texts:
        ids = tokenizer(text)["input_ids"][:limit]
        for at in range(1, len(ids)):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids[:at]])).logits[0, -1]
            nats += float(F.cross_entropy(logits, torch.tensor(ids[at])))
            count += 1
    return nats / count / math.log(2)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("done")
    run = language_run(folder, "finetune", tuning="full", lr=3e-3, epochs=4)
    return run, execute(run)


def test_bits_per_byte_are_those_of_a_loop_over_tokens(done):
    run, result = done
    model, tokenizer = tiny_lm.language_model(), tiny_lm.tokenizer()
    for at, experience in enumerate(run.stream.experiences):
        texts = experience.splits["test"][:]["text"]
        assert len(texts) == 6  # the limit on texts of an experience holds
        assert math.isclose(
            result.language["untrained"][at], naive_bits(model, tokenizer, texts, 24), rel_tol=1e-5
        )
    general = naive_bits(model, tokenizer, general_texts(run)[0], 24)
    assert math.isclose(result.language["untrained_general"], general, rel_tol=1e-5)
    trained = run.learner.network.model
    whole = tiny_lm.language_model()
    whole.base_model.load_state_dict(trained.state_dict())
    last = naive_bits(whole, tokenizer, run.stream.experiences[0].splits["test"][:]["text"], 24)
    assert math.isclose(result.language["bits_per_byte"][-1][0], last, rel_tol=1e-4)


def test_training_learns_and_the_result_file_can_be_read(done):
    run, result = done
    bits = np.array(result.language["bits_per_byte"])
    assert bits.shape == (3, 3)
    assert not result.accuracy
    assert (np.diag(bits) < np.array(result.language["untrained"]) - 0.5).all()
    again = RunResult.read(run.path)
    assert again.language == result.language
    assert again.metrics == result.metrics
    assert again.stages == 3
    assert again.metrics["average_bits_per_byte"] == pytest.approx(bits[-1].mean())
    assert again.metrics["forgetting_bits"] == pytest.approx(
        np.mean([bits[2, i] - bits[i:2, i].min() for i in range(2)])
    )


def test_the_text_of_retention_is_not_read_by_methods(done):
    held, readable = general_texts(done[0])
    assert held
    assert readable
    assert not set(held) & set(readable)


def test_continuations_are_the_most_likely_tokens_one_by_one(done):
    _run, result = done
    entries = result.language["continuations"]
    assert [each["name"] for each in entries] == ["letters", "digits", "capitals"]
    assert all(each["texts"] == 2 for each in entries)
    first = entries[0]["shown"][0]
    model, tokenizer = tiny_lm.language_model(), tiny_lm.tokenizer()
    ids = tokenizer(first["prompt"])["input_ids"]
    assert len(ids) == 12
    for _ in range(12):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    assert tokenizer.decode(ids[12:]) == first["untrained"]
    means = [rouge_l(each["continued"], each["true"]) for each in entries[0]["shown"]]
    assert entries[0]["rouge_l"] == pytest.approx(np.mean(means))
    assert result.metrics["rouge_l"] == pytest.approx(np.mean([each["rouge_l"] for each in entries]))


@pytest.mark.parametrize(
    ("baseline", "options"),
    [
        ("finetune", {"tuning": "full"}),
        ("finetune", {"tuning": "frozen", "lr": 1e-3}),
        ("finetune", {"tuning": "adapter"}),
        ("ewc", {"tuning": "lora", "arguments": {"fisher_examples": 4}}),
        ("replay", {"tuning": "lora", "arguments": {"capacity": 8}}),
        ("replay", {"tuning": "frozen", "lr": 1e-3, "arguments": {"capacity": 8}}),
        ("l2", {"tuning": "lora"}),
        ("si", {"tuning": "lora"}),
        ("replay", {"tuning": "prompt", "arguments": {"capacity": 8}}),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_end(tmp_path, baseline, options):
    whole = execute(language_run(tmp_path, baseline, "whole", **options))

    def stop(stage, _):
        if stage == 0:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        execute(language_run(tmp_path, baseline, "stopped", **options), on_stage=stop)
    stages = []
    resumed = execute(
        language_run(tmp_path, baseline, "stopped", **options), on_stage=lambda stage, _: stages.append(stage)
    )
    assert stages == [1, 2]
    assert resumed.language == whole.language
    assert resumed.metrics == whole.metrics
    assert whole.status == "done"
    assert all(value > 0 for value in whole.language["stream"])


@pytest.mark.parametrize(
    ("baseline", "options"),
    [("finetune", {"tuning": "lora"}), ("dkvbvalues", {"arguments": {"keys": 16, "top_rows": 4}})],
)
def test_a_run_that_stops_within_an_experience_goes_on_to_the_same_end(
    tmp_path, baseline, options, monkeypatch
):
    def run(name):
        return language_run(tmp_path, baseline, name, checkpoint_minutes=1e-9, epochs=8, **options)

    whole, save, places = execute(run("whole")), Checkpoints.save, []

    def stopping(self, within=None):
        save(self, within)
        places.append(within)
        if within is not None and self._run.result.stages == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", stopping)
        with suppress(KeyboardInterrupt):
            execute(run("stopped"))
    assert places[-1] is not None
    resumed = execute(run("stopped"))
    assert resumed.language == whole.language
    assert resumed.metrics == whole.metrics


def test_tunings_start_as_the_language_model(tmp_path):
    for tuning in ("full", "lora", "adapter", "frozen"):
        run = language_run(tmp_path, "finetune", tuning, tuning=tuning)
        found = likelihoods(run.learner, run.data.test_dataloader())
        first = language_run(tmp_path, "finetune", "other", tuning="full")
        assert np.allclose(found, likelihoods(first.learner, first.data.test_dataloader()), rtol=1e-5), tuning


def test_replay_shows_the_buffer_next_tokens_of_both(tmp_path):
    run = language_run(tmp_path, "replay", tuning="full", arguments={"capacity": 4})
    learner = run.learner
    first, second = list(run.data.reader(0).batches(4))[:2]
    learner.on_train_batch_end(None, first, 0)
    both = [
        float(F.cross_entropy(learner(each), learner.network.targets(each), reduction="sum"))
        for each in (first, second)
    ]
    count = sum(int(learner.network.sizes(each).sum()) for each in (first, second))
    learner.eval()
    assert float(learner.loss(second)) == pytest.approx(sum(both) / count, rel=1e-5)


def test_early_stopping_is_by_bits_per_byte(tmp_path):
    run = language_run(tmp_path, "finetune", tuning="full", lr=3e-3, patience=1, epochs=3)
    execute(run)
    told = run.result.experiences[0]["early_stopping"]
    assert told["validation_accuracy"] == sorted(told["validation_accuracy"])
    assert told["best_epoch"] == 3


def test_what_does_not_go_together_is_refused(tmp_path):
    with pytest.raises(UserError, match="NCM learns classes of texts"):
        language_run(tmp_path, "ncm")
    with pytest.raises(UserError, match="'tiny' is no language model"):
        language_run(tmp_path, "finetune", encoder="tiny", tuning="full")
    run = language_run(tmp_path, "ewc", tuning="lora", arguments={"labels": "exact"})
    with pytest.raises(UserError, match="labels exact"):
        execute(run)
