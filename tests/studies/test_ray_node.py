"""What a node does with a job, without any Ray: the run of this machine, in a folder that does not stay."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest
from studies.test_sweep import outcomes, write_scenario

from clbench.engine.parser import run_config
from clbench.studies import ray_node
from clbench.studies.ray_node import Mailbox, Origin, Returned, do_job, enter
from clbench.studies.ray_pool import files_at, write
from clbench.studies.worker import Job, Message, work

ORIGIN = Origin(("clbench", "reproduce"), "/nowhere", b"", here=False)


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    monkeypatch.setattr(ray_node, "enter", lambda origin: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    options = {"scenario": str(write_scenario(tmp_path)), "baseline": "finetune", "tuning": "frozen"}
    return Job(run_config({**options, "encoder": "tiny", "threads": 1, "results": str(tmp_path / "sent")}))


def done(job: Job) -> Returned:
    return do_job(0, job, files_at(job), ORIGIN, lambda _: None, checked=True)


def test_what_comes_back_is_what_this_machine_writes(job, tmp_path):
    here = dataclasses.replace(job.config, results=tmp_path / "here")
    work(0, dataclasses.replace(job, config=here), lambda _: None)
    returned = done(job)
    write(returned, job)
    assert outcomes(tmp_path / "sent") == outcomes(tmp_path / "here")
    assert len(outcomes(tmp_path / "sent")) == 1
    assert returned.outcome.path in (tmp_path / "sent").rglob("*.json")
    assert not list((tmp_path / f"clbench-{os.getuid()}" / "runs").iterdir())
    again = done(job)
    assert again.outcome.skipped
    assert again.files == {}


def test_a_finished_run_on_other_data_is_refused_and_named_as_on_this_machine(job):
    first = done(job)
    write(first, job)
    path = first.outcome.path
    content = json.loads(path.read_text())
    content["provenance"]["fingerprints"]["data"] = "another"
    path.write_text(json.dumps(content))
    second = done(job)
    assert f"{path} holds a finished run with another data" in second.outcome.error
    assert second.files == {}
    path.write_text("{")
    assert f"{path} is not a result file" in done(job).outcome.error


def test_a_run_that_is_done_removes_checkpoints_of_this_machine(job):
    returned = done(job)
    checkpoints = returned.outcome.path.with_suffix("")
    checkpoints.mkdir(parents=True)
    write(returned, job)
    assert not checkpoints.exists()


def test_checkpoints_stay_where_they_are(tmp_path):
    path = tmp_path / "a/order0-seed0.json"
    for name in ("a/order0-seed0.json", "a/order0-seed0/x.safetensors", "wandb/offline-run/files/y", "old"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = ray_node._written(tmp_path, path, {"old": b"old"})
    assert set(found) == {"a/order0-seed0.json", "wandb/offline-run/files/y"}


def test_a_node_that_joins_later_says_what_it_lacks(job, monkeypatch):
    monkeypatch.setattr(ray_node.socket, "gethostname", lambda: "late")
    origin = dataclasses.replace(ORIGIN, code=ray_node.engine_version())
    lost = dataclasses.replace(job.config, scenario="banking77-cil", data_dir=Path("/missing"))
    outcome = do_job(0, Job(lost), {}, origin, lambda _: None, checked=False).outcome
    assert outcome.error.startswith("node late: data folder /missing does not exist")
    other = do_job(0, job, {}, ORIGIN, lambda _: None, checked=False).outcome
    assert other.error.startswith("node late: another version of clbench")


def test_a_node_takes_over_what_relative_paths_and_provenance_need(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", ["default_worker.py"])
    monkeypatch.setattr(ray_node, "quiet", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CLBENCH_CACHE")
    enter(dataclasses.replace(ORIGIN, folder=str(tmp_path)))
    assert Path.cwd() == tmp_path
    assert sys.argv == ["clbench", "reproduce"]
    assert os.environ["CLBENCH_CACHE"] == str(tmp_path / f"clbench-{os.getuid()}" / "cache")
    monkeypatch.setenv("CLBENCH_CACHE", "mine")
    enter(ORIGIN)
    assert os.environ["CLBENCH_CACHE"] == "mine"


def test_a_mailbox_keeps_the_newest_message_of_each_job():
    mailbox = Mailbox()
    for job, done in ((0, 1), (1, 1), (0, 2)):
        mailbox.put(Message(job, "experience", done, 3))
    assert [(each.job, each.done) for each in mailbox.take()] == [(0, 2), (1, 1)]
    assert mailbox.take() == []
