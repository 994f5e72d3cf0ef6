"""Precision: encoders compute in it, trained ones under autocast; all else is in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.engine.build import Run, prepare
from clbench.engine.earlier import finished
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.loop import begin_stage, begin_stream, execute, train
from clbench.engine.progress import StepBar
from clbench.models.encoder import TextEncoder
from clbench.testing.streams import SCENARIOS, write_texts

PRECISIONS = ("float32", "bfloat16")


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    return tmp_path / "data"


def prepared(data: Path, baseline: str, tuning: str, precision: str, **options) -> Run:
    config = RunConfig(
        "class-aware", baseline, tuning=tuning, encoder="tiny", threads=1, precision=precision, epochs=1,
        data_dir=data, results=data / "results" / precision, **options,
    )  # fmt: skip
    return prepare(config, scenario=SCENARIOS["class-aware"])


def with_autocast(run: Run):
    """The Fabric of the run's precision, with the learner attached as ``execute`` does it."""
    fabric = make_fabric(None, run.encoder.dtype)
    attach(run.learner, fabric)
    return fabric


def logits(run: Run, batch: Batch) -> Tensor:
    with_autocast(run)
    run.learner.eval()
    with torch.no_grad():
        return run.learner(batch)


@pytest.mark.parametrize("tuning", ["full", "adapter", "lora", "prompt"])
def test_logits_under_autocast_are_float32_and_close_to_those_without(tuning, data):
    runs = [prepared(data, "finetune", tuning, precision) for precision in PRECISIONS]
    batch = next(runs[0].data.reader(0).batches(8))
    plain, cast = (logits(run, batch) for run in runs)
    assert plain.dtype == cast.dtype == torch.float32
    assert 0 < float((plain - cast).norm()) < 2e-2 * float(plain.norm())


@pytest.mark.parametrize("tuning", ["full", "adapter", "lora", "prompt"])
def test_weights_gradients_optimizer_state_and_loss_stay_in_float32(tuning, data, monkeypatch):
    run = prepared(data, "finetune", tuning, "bfloat16")
    seen = set()
    optimizer = run.learner.configure_optimizers()

    def look(outputs, *_):
        seen.add(outputs["loss"].dtype)
        seen.update(weight.grad.dtype for _, weight in run.learner.named_trainable())

    monkeypatch.setattr(run.learner, "configure_optimizers", lambda: optimizer)
    monkeypatch.setattr(run.learner, "on_train_batch_end", look)
    fabric = with_autocast(run)
    begin_stream(run)
    begin_stage(run, 0, run.stream.stages[0])
    assert train(run, 0, fabric, StepBar(show=False)).steps > 0
    seen.update(each.dtype for each in run.learner.parameters())
    seen.update(value.dtype for state in optimizer.state.values() for value in state.values())
    assert seen == {torch.float32}


@pytest.mark.parametrize(
    ("baseline", "arguments"),
    [("der", {"capacity": 16}), ("agem", {"capacity": 16}), ("ewc", {}), ("lwf", {}), ("hat", {})],
)
def test_methods_that_call_the_network_outside_of_a_step_run_in_bfloat16(baseline, arguments, data):
    run = prepared(data, baseline, "adapter", "bfloat16", arguments=arguments, experiences=2)
    assert execute(run).status == "done"
    assert {each.dtype for each in run.learner.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("baseline", "arguments"), [("finetune", {}), ("dkvb", {"heads": 4, "keys": 16}), ("slda", {})]
)
def test_past_the_frozen_prefix_precision_changes_nothing(baseline, arguments, data, monkeypatch):
    monkeypatch.setattr(TextEncoder, "frozen", _frozen_in_float32)
    runs = [prepared(data, baseline, "frozen", precision, arguments=arguments) for precision in PRECISIONS]
    for run in runs:
        execute(run)
    first, second = (run.learner.state_dict() for run in runs)
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert runs[0].result.confusion == runs[1].result.confusion


def _frozen_in_float32(encoder: TextEncoder):
    """The frozen copy, whatever the precision: the same features for both."""
    if encoder._frozen is None:
        encoder._frozen = encoder.model().requires_grad_(False)
    return encoder._frozen


@pytest.mark.parametrize("tuning", ["frozen", "full"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_result_file_says_the_precision_and_a_run_in_another_one_is_another_run(precision, tuning, data):
    run = prepared(data, "finetune", tuning, precision, experiences=1)
    execute(run)
    config = RunResult.read(run.path).config
    assert config["precision"] == precision
    assert config["method"] == f"finetune-{tuning}-{precision}"
    again = prepared(data, "finetune", tuning, precision, experiences=1)
    assert finished(again)
    again.result.config["precision"] = ({*PRECISIONS} - {precision}).pop()  # as auto on another machine
    assert not finished(again)
    with pytest.raises(UserError, match="another precision"):
        execute(again)
