"""The option pooling: what a method's features are, and where it stands in names and results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.engine.build import Run, prepare
from clbench.engine.earlier import finished
from clbench.engine.loop import execute
from clbench.models.encoder import token_states
from clbench.testing.streams import SCENARIOS, write_texts


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    return tmp_path / "data"


def prepared(data: Path, baseline: str, **options) -> Run:
    config = RunConfig(
        "class-aware", baseline, encoder="tiny", threads=1, data_dir=data, results=data / "results", **options
    )
    return prepare(config, scenario=SCENARIOS["class-aware"])


def chosen(states: torch.Tensor, pooling: str) -> torch.Tensor:
    return {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_features_are_the_chosen_states(pooling, cached, data):
    run = prepared(data, "ncm", pooling=pooling, cache_features=cached, precision="float32")
    split, limit = run.stream.stages[0].experience.splits["train"], run.data.protocol.max_tokens
    texts = run.data.texts(split, run.learner.network.prefix)
    batch = run.learner.on_after_batch_transfer(texts.batch(torch.arange(len(texts))), 0)
    columns = split[:]
    for own, row in zip(
        batch.rows, run.encoder.tokenize(columns["text"], columns["text_pair"], limit), strict=True
    ):
        one = torch.from_numpy(np.array(row)).unsqueeze(0)
        with torch.no_grad():
            states = token_states(run.encoder.frozen(), one, torch.ones(one.shape[:2], dtype=torch.bool))[0]
        torch.testing.assert_close(own, chosen(states, pooling), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_trained_encoder_pools_likewise(pooling, data):
    run = prepared(data, "finetune", tuning="full", pooling=pooling, precision="float32")
    batch = next(run.data.reader(0).batches(8))
    network = run.learner.network.eval()
    rows, mask = batch.padded()
    with torch.no_grad():
        states = token_states(network.encoder, rows, mask)
        wanted = [chosen(own[here], pooling) for own, here in zip(states, mask, strict=True)]
        torch.testing.assert_close(network.features(batch), torch.stack(wanted))


def test_another_pooling_is_another_method_with_results_of_its_own(data):
    names = {pooling: prepared(data, "ncm", pooling=pooling).result.config for pooling in ("mean", "last")}
    assert {pooling: config["pooling"] for pooling, config in names.items()} == {
        "mean": "mean",
        "last": "last",
    }
    assert names["mean"]["method"] == "ncm"
    assert names["last"]["method"] == "ncm-last"
    both = prepared(data, "ncm", pooling="cls", precision="float32", joint=True)
    assert both.result.config["method"] == "ncm-cls-float32-joint"
    execute(prepared(data, "ncm"))
    execute(prepared(data, "ncm", pooling="last"))
    assert finished(prepared(data, "ncm"))
    assert finished(prepared(data, "ncm", pooling="last"))
    assert not finished(prepared(data, "ncm", pooling="cls"))


def test_a_method_that_pools_by_itself_refuses_the_option(data):
    prepared(data, "dkvb", pooling="mean")
    with pytest.raises(
        UserError, match=r"^DKVB pools token states by arguments of its own; option pooling cls"
    ):
        prepared(data, "dkvb", pooling="cls")
