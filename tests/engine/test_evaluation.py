"""Confusion counts of a whole evaluation, against one text at a time."""

import numpy as np
import pytest
import torch

from clbench.cli import main
from clbench.core.config import RunConfig
from clbench.core.result import RunResult
from clbench.data import batches
from clbench.engine.build import prepare
from clbench.engine.evaluation import confusion
from clbench.testing.streams import SCENARIOS, write_texts


def prepared(tmp_path, scenario: str, tuning: str):
    write_texts(tmp_path)
    config = RunConfig(
        scenario, "finetune", tuning=tuning, encoder="tiny", precision="float32", data_dir=tmp_path,
        threads=1, results=tmp_path / "results",
    )  # fmt: skip
    return prepare(config, scenario=SCENARIOS[scenario])


@pytest.mark.parametrize("scenario", ["class", "class-aware"])
@pytest.mark.parametrize("tuning", ["frozen", "full"])
def test_counts_are_those_of_a_loop_over_texts(scenario, tuning, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "BLOCK_BYTES", 1000)  # several blocks
    run = prepared(tmp_path, scenario, tuning)
    learner, columns = run.learner, len(run.stream.scenario.columns)
    expected = np.zeros((len(run.stream), columns, columns), int)
    learner.eval()
    for index, experience in enumerate(run.stream.experiences):
        texts = run.data.texts(experience.splits["test"], run.data.prefix())
        for at in range(len(texts)):
            batch = texts.batch(torch.tensor([at]))
            allowed = experience.columns if scenario == "class-aware" else range(columns)
            with torch.no_grad():
                logits = learner(batch)[0]
            best = max(allowed, key=lambda column: float(logits[column]))
            expected[index, int(batch.targets), best] += 1
    assert confusion(learner, run.data.test_dataloader()).tolist() == expected.tolist()
    some = confusion(learner, run.data.test_dataloader([1]))
    assert some[1].tolist() == expected[1].tolist()
    assert not some[[0, 2]].any()


def test_logits_that_are_no_numbers_are_no_prediction(tmp_path):
    run = prepared(tmp_path, "class", "frozen")
    with torch.no_grad():
        run.learner.network.head.bias[1] = torch.nan
    with pytest.raises(FloatingPointError, match="logits are not numbers"):
        confusion(run.learner, run.data.test_dataloader())


def test_the_command_says_in_one_line_that_a_run_diverged(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    (tmp_path / "six.yaml").write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    line = ["run", "--scenario", str(tmp_path / "six.yaml"), "--baseline", "finetune", "--tuning", "full"]
    line += ["--encoder", "tiny", "--max-tokens", "16", "--lr", "1e30", "--results", str(tmp_path / "runs")]
    assert main(line) == 1
    (path,) = (tmp_path / "runs").rglob("order*.json")
    shown = capsys.readouterr().err
    assert "clbench: the run failed: " in shown
    assert f"result: {path}" in shown
    assert "Traceback" not in shown
    assert RunResult.read(path).status == "failed"
