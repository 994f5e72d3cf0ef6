"""Early stopping: when it stops, what it restores, what it costs, and that resuming changes nothing."""

import json

import pytest
import torch

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.engine.build import prepare
from clbench.engine.fabric import attach, make_fabric
from clbench.engine.loop import begin_stage, execute, train
from clbench.engine.progress import StepBar
from clbench.testing.streams import SCENARIOS, write_texts


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path)

    def make(baseline, *, results="results", **options):
        config = RunConfig(
            "class-aware", baseline, encoder="tiny", threads=1, precision="float32", data_dir=tmp_path,
            results=tmp_path / results, **{"tuning": "frozen", "epochs": 8, **options},
        )  # fmt: skip
        return prepare(config, scenario=SCENARIOS["class-aware"])

    return make


def trained(run):
    begin_stage(run, 0, run.stream.stages[0])
    fabric = make_fabric(None)
    attach(run.learner, fabric)
    return train(run, 0, fabric, StepBar(show=False))


@pytest.mark.parametrize(
    ("shares", "patience", "epochs", "best"),
    [
        ("2.4.5.4.3.6.0.0", 2, 5, 3),  # the later peak is never reached
        ("2.4.5.4.3.6.0.0", 3, 8, 6),
        ("2.2.2.2.2.2.2.2", 3, 4, 1),  # as good is not better
        ("0.1.2.3.4.5.6.6", 1, 8, 7),
        ("0.0.0.6.0.0.0.0", 8, 8, 4),  # never stops, and still ends with the best epoch
        ("0.0.0.0.0.0.0.0", 1, 2, 1),  # nothing is ever found
    ],
)
def test_it_stops_so_many_epochs_after_the_best_and_restores_it(shares, patience, epochs, best, prepared):
    run = prepared("support.peaking.Peaking", arguments={"shares": shares}, patience=patience)
    done = trained(run)
    steps = len(run.data.stage_train_dataloader(0))
    assert (done.epochs, done.steps, int(run.learner.epochs)) == (epochs, epochs * steps, epochs)
    assert done.early_stopping["best_epoch"] == best
    reached = [int(each) / 6 for each in shares.split(".")]
    assert run.learner.found.item() == pytest.approx(reached[best - 1])
    assert len(run.stream.experiences[0].splits["validation"]) == 6
    assert done.early_stopping["validation_accuracy"] == pytest.approx(reached[:epochs])


METHODS = {
    "finetune": {},
    "full": {"baseline": "finetune", "tuning": "full"},
    "dkvb": {"arguments": {"heads": 4, "keys": 16}},
    "replay": {"arguments": {"capacity": 16}},
    "si": {},
}


@pytest.mark.parametrize("name", METHODS)
def test_the_weights_are_those_of_training_for_that_many_epochs(name, prepared):
    options = {"baseline": name, **METHODS[name], "lr": 0.05 if name != "full" else 0.001}
    stopped = prepared(**options, patience=2)
    best = trained(stopped).early_stopping["best_epoch"]
    plain = prepared(**options | {"epochs": best})
    assert not trained(plain).early_stopping
    pairs = zip(stopped.learner.named_trainable(), plain.learner.named_trainable(), strict=True)
    for (parameter, first), (_, second) in pairs:
        assert torch.equal(first, second), parameter
    assert stopped.learner.training


class StopError(Exception):
    """Raised in place of a signal."""


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_was_stopped_ends_like_one_that_was_not(name, prepared):
    options = {"baseline": name, **METHODS[name], "patience": 1}
    whole = execute(prepared(**options, results="whole"))

    def stop(stage, _):
        if stage == 0:
            raise StopError

    with pytest.raises(StopError):
        execute(prepared(**options, results="parts"), on_stage=stop)
    path = next(iter(prepared(**options, results="parts").path.parent.glob("*.json")))
    content = json.loads(path.read_text()) | {"status": "running"}  # a signal leaves no failure behind
    path.write_text(json.dumps(content))
    parts = execute(prepared(**options, results="parts"))
    assert parts.confusion == whole.confusion
    first, second = (
        [(each["steps"], each["early_stopping"], each["flops"]) for each in one.experiences]
        for one in (whole, parts)
    )
    assert first == second
    assert parts.costs["flops"] == whole.costs["flops"]
    assert any(each["early_stopping"]["best_epoch"] < 8 for each in parts.experiences)


def test_validation_is_a_phase_of_its_own(prepared):
    run = prepared("finetune", patience=2)
    result = execute(run)
    epochs = [len(each["early_stopping"]["validation_accuracy"]) for each in result.experiences]
    sizes = [len(each.splits["validation"]) for each in run.stream.experiences]
    layer = 2 * run.encoder.hidden_size * len(run.stream.scenario.columns)  # operations of one text
    texts = sum(count * size for count, size in zip(epochs, sizes, strict=True))
    phases = result.costs["flops"]["phases"]
    assert phases["validate"]["spent"] == texts * layer
    assert phases["validate"]["algorithm"] > phases["validate"]["spent"]  # as if each text were encoded
    assert result.costs["seconds"]["validate"] > 0
    plain = execute(prepared("finetune", results="plain"))
    assert plain.costs["flops"]["phases"]["validate"] == {"algorithm": 0, "spent": 0}
    for each, count in zip(result.experiences, epochs, strict=True):
        assert each["seconds"]["train_per_epoch"] == pytest.approx(each["seconds"]["train"] / count)
    assert sum(each["seconds"]["validate"] for each in result.experiences) == pytest.approx(
        result.costs["seconds"]["validate"]
    )


def test_joint_training_stops_by_the_validation_texts_of_all_experiences(prepared):
    run = prepared("finetune", joint=True, patience=1)
    begin_stage(run, 0, run.stream.stages[0])
    expected = sum(len(each.splits["validation"]) for each in run.stream.experiences)
    assert len(run.data.stage_val_dataloader(0).texts) == expected


def test_what_makes_it_impossible_is_named(prepared, tmp_path):
    with pytest.raises(UserError, match="patience is 0: at least 1"):
        prepared("finetune", patience=0)
    (tmp_path / "six" / "validation.jsonl").unlink()
    train = tmp_path / "six" / "train.jsonl"
    rows = [json.loads(line) for line in train.read_text().splitlines()]
    one_each = {row["label"]: row for row in rows}  # too few to hold one out
    train.write_text("".join(json.dumps(row) + "\n" for row in one_each.values()))
    prepared("finetune")
    with pytest.raises(UserError, match=r"patience: experience 'ab'.*no validation texts"):
        prepared("finetune", patience=3)
