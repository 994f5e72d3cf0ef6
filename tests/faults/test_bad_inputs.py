"""Bad inputs are refused in one line, with exit code 2, and without anything written."""

import json

import pytest
from support.bad_inputs.case import Case
from support.bad_inputs.declared import RUN
from support.bad_inputs.files import R8S, experiment, result, results
from support.bad_inputs.recorded import RECORDED
from support.bad_inputs.table import SOURCES, every, recorded

from clbench.cli import main


@pytest.mark.parametrize("source", [each for each in SOURCES if each is not recorded])
def test_bad_inputs_are_refused(source, tmp_path):
    wrong = {}
    for at, case in enumerate(source()):
        folder = tmp_path / str(at)
        folder.mkdir()
        if problems := case.problems(folder):
            wrong[str(case)] = problems
    assert wrong == {}


def test_there_are_hundreds_of_them():
    assert len(every()) > 1000


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded inputs are not here")
@pytest.mark.parametrize("case", list(recorded())[::8], ids=str)  # the script of the table runs all of them
def test_recorded_inputs_are_refused(case, tmp_path):
    assert case.problems(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ((*RUN, "--baseline", "finetune", "--config", "c.yaml"), {"c.yaml": "epochs: 1\n", **R8S}),
        (("reproduce", "e.yaml", "--dry-run"), experiment()),
        (("report", "r", "--out", "out"), results()),
    ],
)
def test_what_they_are_made_of_is_right(words, files, tmp_path):
    case = Case("right", " ".join(words), words, files)
    assert case.problems(tmp_path)[0] == "exit 0"


def test_a_broken_result_is_named_and_the_others_are_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "order0-seed0.json").write_text(json.dumps(result()))
    (folder / "order0-seed1.json").write_text(json.dumps(result(config__seed=1, accuracy=[[7]])))
    for words in (["report", "r", "--out", "out", "--no-page"], ["wandb", "push", "r", "--dry-run"]):
        assert main(words) == 0
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert "order0-seed1.json is not a result file: accuracy is 7" in said.err
        assert main([*words, "--strict"]) == 2
        assert "order0-seed1.json" in capsys.readouterr().err
