"""The training loop: equal to Lightning's Trainer, hook by hook and bit by bit."""

from __future__ import annotations

import lightning
import pytest
import torch

from clbench.core.config import RunConfig
from clbench.core.device import one_thread
from clbench.core.seeding import seeded
from clbench.engine.build import Run, prepare
from clbench.engine.loop import begin_stage, begin_stream, train
from clbench.engine.progress import StepBar
from clbench.engine.training import make_fabric
from clbench.methods.learner import ContinualLearner
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
    "dkvb-reference": ("dkvb", "frozen", {"heads": 4, "keys": 16, "optimizer": "reference", "lifetime": "reference"}),
}


def prepared(name: str, folder) -> Run:
    baseline, tuning, arguments = METHODS[name]
    config = RunConfig(
        "class-aware", baseline, arguments=arguments, tuning=tuning, encoder="tiny", epochs=3, threads=1,
        dtype="float32", data_dir=folder, results=folder / "results",
    )  # fmt: skip
    run = prepare(config, scenario=SCENARIOS["class-aware"])
    begin_stream(run)
    return run


def train_by_trainer(run: Run, index: int) -> None:
    """What ``train`` does, by a Trainer."""
    trainer = lightning.Trainer(
        max_epochs=run.data.protocol.epochs, logger=False, enable_checkpointing=False, devices=1,
        enable_model_summary=False, enable_progress_bar=False, limit_val_batches=0, accelerator="cpu",
    )  # fmt: skip
    from clbench.core.seeding import derive

    with seeded(derive(run.config.seed, "train", index)), one_thread():
        run.learner.train()
        trainer.fit(run.learner, train_dataloaders=run.data.train_dataloader())


@pytest.mark.parametrize("name", METHODS)
def test_two_experiences_by_the_loop_and_by_the_trainer_end_with_equal_weights(name, tmp_path):
    write_texts(tmp_path)
    states = []
    for by_trainer in (False, True):
        run = prepared(name, tmp_path)
        fabric = make_fabric(None)
        if not by_trainer:
            fabric.setup_module(run.learner)
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
