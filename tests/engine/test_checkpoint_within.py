"""Checkpoints within an experience: what goes on from one ends like what was never stopped, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import pytest
import torch
from support.compare_results import comparable

from clbench.core.io import temporary_folder
from clbench.engine import loop
from clbench.engine.build import Run, prepare
from clbench.engine.checkpoint import Checkpoints
from clbench.engine.learner_state import state_of
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.testing.streams import SCENARIOS, write_texts

DKVB = {"heads": 4, "keys": 16}
QUICK = ("finetune-full", "early-stopping", "replay", "dkvb", "dkvb-reference")
METHODS = {
    "finetune-frozen": ("finetune", "frozen", {}, {}),
    "finetune-full": ("finetune", "full", {}, {}),
    "early-stopping": ("finetune", "frozen", {}, {"patience": 3}),
    "drawn": ("finetune", "frozen", {}, {"samples_per_epoch": 50}),
    "single": ("finetune", "frozen", {}, {"single": True}),
    "replay": ("replay", "frozen", {"capacity": 16}, {}),
    "replay-full": ("replay", "full", {"capacity": 16}, {}),
    "der": ("derpp", "frozen", {"capacity": 16}, {}),
    "agem": ("agem", "frozen", {"capacity": 16}, {}),
    "si": ("si", "frozen", {}, {}),
    "hat": ("hat", "frozen", {}, {}),
    "owm": ("owm", "frozen", {}, {}),
    "lwf": ("lwf", "frozen", {}, {}),
    "ewc": ("ewc", "frozen", {}, {}),
    "dkvb": ("dkvb", "frozen", DKVB, {}),
    "dkvb-decoder": ("dkvb", "frozen", {**DKVB, "decoder": "parametric"}, {}),
    "dkvb-incremental": ("dkvb", "frozen", {**DKVB, "initialization": "incremental"}, {}),
    "dkvb-row-adam": ("dkvb", "frozen", {**DKVB, "optimizer": "row-adam"}, {}),
    "dkvb-reference": ("dkvb", "frozen", {**DKVB, "optimizer": "reference", "lifetime": "reference"}, {}),
}


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")

    def made(name: str, results: str, **more) -> Run:
        baseline, tuning, arguments, options = METHODS[name]
        fixed = {"encoder": "tiny", "threads": 1, "precision": "float32", "data_dir": str(tmp_path / "data")}
        given = {"scenario": "class-aware", "baseline": baseline, "tuning": tuning, "arguments": arguments}
        own = {"results": str(tmp_path / results), "epochs": 8, **options, **more}
        return prepare(run_config({**fixed, **given, **own}), scenario=SCENARIOS["class-aware"])

    return made


class KilledError(BaseException):
    """In place of a signal."""


def stopped(run: Run, after: int, monkeypatch) -> None:
    """Executes a run until it has saved so many checkpoints."""
    save, count = Checkpoints.save, [0]

    def counted(self, within=None):
        save(self, within)
        count[0] += 1
        if count[0] == after:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", counted)
        with pytest.raises(KilledError):
            execute(run)


def flat(state, path=""):
    """Tensors and values of nested states by their path."""
    if isinstance(state, dict):
        for name, value in state.items():
            yield from flat(value, f"{path}/{name}")
    else:
        yield path, state


def content(run: Run):
    """The result without times and memory."""
    return comparable(json.loads(run.path.read_text()))


@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in METHODS]
)
def test_a_run_that_stops_within_an_experience_ends_like_one_that_does_not(name, build, monkeypatch):
    ends = []
    end_of_training = loop.consolidate

    def consolidate(run, index, stage):
        ends[-1].append({path: each.clone() for path, each in flat(state_of(run.learner))})
        end_of_training(run, index, stage)

    monkeypatch.setattr(loop, "consolidate", consolidate)
    ends.append([])
    whole = build(name, "whole")
    execute(whole)
    ends.append([])
    often = {"checkpoint_minutes": 1e-9}
    first = build(name, "parts", **often)
    stopped(first, 2, monkeypatch)
    place = Checkpoints(build(name, "parts", **often)).find()
    assert place.within is not None
    assert place.within.training["next"] > 0 or place.within.training["done"]["epochs"] > 0
    assert not place.result.accuracy
    second = build(name, "parts", **often)
    stopped(second, 6, monkeypatch)
    execute(third := build(name, "parts", **often))
    assert content(third) == content(whole)
    assert sorted(each.name for each in third.path.parent.iterdir()) == [third.path.name]
    for one, other in zip(*ends, strict=True):
        assert one.keys() == other.keys()
        assert [path for path in one if not torch.equal(one[path], other[path])] == []


def test_no_checkpoint_within_an_experience_before_it_is_due(build, monkeypatch):
    stopped(build("finetune-frozen", "parts"), 1, monkeypatch)
    place = Checkpoints(build("finetune-frozen", "parts")).find()
    assert place.within is None
    assert len(place.result.accuracy) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from clbench.engine import state_file
state_file.checksum = lambda path: os.kill(os.getpid(), signal.SIGKILL)
state_file.write_state(Path(sys.argv[1]), "00009-000000000", {})
"""


def test_a_checkpoint_half_written_goes_if_its_process_was_killed_and_stays_if_it_runs(build, monkeypatch):
    run = build("finetune-frozen", "parts")
    stopped(run, 1, monkeypatch)
    subprocess.run([sys.executable, "-c", KILLED, str(run.working)])
    (left,) = run.working.glob(".*")
    with temporary_folder(run.working) as of_another:
        assert Checkpoints(build("finetune-frozen", "parts")).find() is not None
        assert [*run.working.glob(".*")] == [of_another]
    assert not left.exists()


def test_state_that_cannot_be_saved_is_one_warning_and_the_run_is_done(build, monkeypatch):
    run = build("finetune-frozen", "runs", checkpoint_minutes=1e-9)
    configure = run.learner.configure_optimizers

    def odd():
        optimizer = configure()
        optimizer.param_groups[0]["odd"] = {1, 2}
        return optimizer

    monkeypatch.setattr(run.learner, "configure_optimizers", odd)
    with pytest.warns(UserWarning, match="type set cannot be saved") as told:
        assert execute(run).status == "done"
    assert len(told) == 1


def test_weights_that_are_not_finite_are_not_saved(build, monkeypatch):
    run = build("finetune-frozen", "runs", checkpoint_minutes=1e-9)
    steps = []

    def spoil(*_) -> None:
        steps.append(1)
        if len(steps) == 20:  # after the loss, which is finite
            run.learner.network.head.weight.data[0, 0] = torch.inf

    monkeypatch.setattr(run.learner, "on_train_batch_end", spoil)
    with pytest.raises(
        FloatingPointError, match=r"experience 1 of 3 \(ab\), parameter network.head.weight is"
    ):
        execute(run)
    place = Checkpoints(build("finetune-frozen", "runs")).find()
    assert place.within.training["done"]["steps"] == 18  # the end of the epoch before


def test_a_stopped_run_says_nothing_when_it_goes_on(build, monkeypatch):
    stopped(build("replay", "parts", checkpoint_minutes=1e-9), 3, monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert execute(build("replay", "parts")).status == "done"
