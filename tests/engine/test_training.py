"""The training loop: equal to Lightning's Trainer, hook by hook and bit by bit."""

from __future__ import annotations

import lightning
import pytest
import torch

from clbench.core.config import RunConfig
from clbench.core.device import one_thread
from clbench.core.result import RunResult
from clbench.core.seeding import derive, seeded
from clbench.engine import loop
from clbench.engine.build import Run, prepare
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.loop import begin_stage, begin_stream, execute, train
from clbench.engine.progress import StepBar
from clbench.engine.training import Training
from clbench.testing.streams import SCENARIOS, write_texts

METHODS = {
    "finetune-frozen": ("finetune", "frozen", {}),
    "finetune-full": ("finetune", "full", {}),
    "replay": ("replay", "frozen", {"capacity": 16}),
    "si": ("si", "frozen", {}),
    "hat": ("hat", "frozen", {}),
    "der": ("der", "full", {"capacity": 16}),
    "agem": ("agem", "frozen", {"capacity": 16}),
    "dkvb": ("dkvb", "frozen", {"heads": 4, "keys": 16}),
    "dkvb-reference": (
        "dkvb",
        "frozen",
        {"heads": 4, "keys": 16, "optimizer": "reference", "lifetime": "reference"},
    ),
}


def prepared(name: str, folder, **options) -> Run:
    baseline, tuning, arguments = METHODS[name]
    config = RunConfig(
        "class-aware", baseline, arguments=arguments, tuning=tuning, encoder="tiny", threads=1,
        precision="float32", data_dir=folder, results=folder / "results", checkpoint=False,
        **{"epochs": 3, **options},
    )  # fmt: skip
    return prepare(config, scenario=SCENARIOS["class-aware"])


def train_by_trainer(run: Run, index: int) -> None:
    """What ``train`` does, by a Trainer."""
    trainer = lightning.Trainer(
        max_epochs=run.data.protocol.epochs, logger=False, enable_checkpointing=False, devices=1,
        enable_model_summary=False, enable_progress_bar=False, limit_val_batches=0, accelerator="cpu",
    )  # fmt: skip
    with seeded(derive(run.config.seed, "train", index)), one_thread():
        run.learner.train()
        trainer.fit(run.learner, train_dataloaders=run.data.stage_train_dataloader(index))


@pytest.mark.parametrize("name", METHODS)
def test_two_experiences_by_the_loop_and_by_the_trainer_end_with_equal_weights(name, tmp_path):
    write_texts(tmp_path)
    states = []
    for by_trainer in (False, True):
        run = prepared(name, tmp_path)
        begin_stream(run)
        fabric = make_fabric(None)
        if not by_trainer:
            attach(run.learner, fabric)
        for index in range(2):
            begin_stage(run, index, run.stream.stages[index])
            if by_trainer:
                train_by_trainer(run, index)
            else:
                assert train(run, index, fabric, StepBar(show=False)).steps > 0
            run.learner.end_experience(run.stream.stages[index].experience, run.data.reader(index))
        states.append({key: each.clone() for key, each in run.learner.state_dict().items()})
    first, second = states
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@pytest.mark.parametrize("name", ["finetune-frozen", "replay", "agem", "hat", "dkvb"])
def test_operations_of_small_steps_are_those_that_the_meter_counts(name, tmp_path, monkeypatch):
    def counting(*given, small, on_report):
        return Training(*given, small=False, on_report=on_report)

    write_texts(tmp_path)
    counted = []
    for every in (False, True):
        if every:  # the meter's own counter sees each step
            monkeypatch.setattr(loop, "Training", counting)
        run = prepared(name, tmp_path, epochs=20)
        execute(run, replace=True)
        counted.append({phase: cost.flops for phase, cost in run.meter.costs.items() if phase != "encode"})
        assert run.result.experiences[0]["steps"] > 40
    assert counted[0] == counted[1]
    assert counted[0]["train"] > 0 or name == "dkvb"  # which looks values up


def test_a_schedule_moves_the_learning_rate(tmp_path, monkeypatch):
    write_texts(tmp_path)
    rates = []
    for interval in ("epoch", "step"):
        run = prepared("finetune-frozen", tmp_path)
        optimizer = torch.optim.SGD(run.learner.parameters(), lr=1.0)
        halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        both = {"optimizer": optimizer, "lr_scheduler": {"scheduler": halved, "interval": interval}}
        monkeypatch.setattr(run.learner, "configure_optimizers", lambda both=both: both)
        begin_stage(run, 0, run.stream.stages[0])
        steps = train(run, 0, make_fabric(None), StepBar(show=False)).steps
        rates.append((optimizer.param_groups[0]["lr"], steps))
    (by_epoch, _), (by_step, steps) = rates
    assert by_epoch == 0.5**3
    assert by_step == 0.5**steps
    monkeypatch.setattr(run.learner, "configure_optimizers", lambda: [optimizer, optimizer])
    with pytest.raises(TypeError, match=r"Finetune\.configure_optimizers returns list; one optimizer"):
        train(run, 0, make_fabric(None), StepBar(show=False))


def test_a_run_that_diverges_has_failed(tmp_path):
    write_texts(tmp_path)
    run = prepared("finetune-full", tmp_path, lr=1e30)
    with pytest.raises(FloatingPointError, match="try a lower learning rate"):
        execute(run)
    result = RunResult.read(run.path)
    assert result.status == "failed"
    assert "lower learning rate" in result.error
