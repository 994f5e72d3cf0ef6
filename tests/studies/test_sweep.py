"""``clbench reproduce``: which experiments it takes, and that the number of workers changes nothing."""

import json
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from support.faults.scheduling import SimulatedNodes
from support.in_process import without_processes

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.engine.build import prepare
from clbench.engine.parser import run_config
from clbench.studies.display import Display
from clbench.studies.reproduction import refuse_shared_places
from clbench.studies.sweep import do, run_all
from clbench.studies.worker import Job
from clbench.testing.streams import write_texts


def write_scenario(folder: Path) -> Path:
    write_texts(folder / "data")
    path = folder / "six.yaml"
    path.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    return path


@pytest.fixture
def scenario(tmp_path) -> Path:
    return write_scenario(tmp_path)


def experiment(scenario: Path, name: str, *methods: str) -> Path:
    path = scenario.with_name(f"{name}.yaml")
    lines = "".join(f"  - {method}\n" for method in methods)
    path.write_text(
        f"title: the {name} one\nmethods:\n{lines}profiles:\n  {name}:\n    scenarios: [{scenario}]\n"
        "    options: {encoder: tiny, threads: 1, epochs: 1}\n"
    )
    return path


DKVB = "{baseline: dkvb, arguments: {heads: 4, keys: 16}}"
REPLAY = "{baseline: replay, tuning: full}"


def outcomes(folder: Path) -> dict[str, dict]:
    """Every result file, without what is measured by a clock, and without where and when."""
    found = {}
    for path in sorted(folder.rglob("order*-seed*.json")):
        content = json.loads(path.read_text())
        del content["provenance"], content["costs"]["seconds"]
        del content["costs"]["wall_seconds"], content["costs"]["peak_bytes"]
        for each in content["experiences"]:
            del each["seconds"]
        found[str(path.relative_to(folder))] = content
    return found


@dataclass(frozen=True)
class Sweep:
    line: list[str]
    results: Path
    status: int
    shown: str


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Callable[[int], Sweep]:
    """A sweep of three runs and one that fails, by so many worker processes, made once."""
    methods = (DKVB, REPLAY, "{baseline: slda}", "{baseline: dkvb, arguments: {heads: 5}}")
    path = experiment(write_scenario(tmp_path_factory.mktemp("scenario")), "both", *methods)

    @cache
    def of(workers: int) -> Sweep:
        results = tmp_path_factory.mktemp("results")
        line = ["reproduce", str(path), "--workers", str(workers), "--results", str(results)]
        with redirect_stdout(StringIO()) as out, redirect_stderr(out):
            status = main(line)
        return Sweep(line, results, status, out.getvalue())

    return of


def test_one_worker_and_two_give_the_same_results(sweep):
    one, two = (outcomes(sweep(workers).results) for workers in (1, 2))
    assert len(one) == 3
    assert one == two
    assert "3 run in" in sweep(1).shown
    assert "3 run in" in sweep(2).shown


def test_what_failed_is_listed_and_tried_again(sweep, monkeypatch, capsys):
    once = sweep(1)
    without_processes(monkeypatch)
    again = main(once.line)
    captured = capsys.readouterr()
    for done, status, shown in ((0, once.status, once.shown), (3, again, captured.out + captured.err)):
        assert status == 1
        assert f"{3 - done} run in" in shown
        assert f"{done} done before, 1 failed" in shown
        assert "DKVB: UserError" in shown
        assert "1 failed: the same command tries them again" in shown


def test_a_profile_alone_takes_every_experiment_that_has_it(scenario, monkeypatch, capsys):
    paths = [
        experiment(scenario, "first", "{baseline: ncm}"),
        experiment(scenario, "second", "{baseline: slda}"),
    ]
    shared = scenario.with_name("shared.yaml")
    shared.write_text("title: another table\nruns_of: first\n")
    known = {path.stem: path for path in (*paths, shared)}
    monkeypatch.setattr("clbench.studies.experiment.experiment_files", lambda: known)
    monkeypatch.setattr("clbench.studies.reproduction.experiment_files", lambda: known)
    assert main(["reproduce", "--profile", "first", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("to run") == 1  # of two experiments with the same run
    assert "ncm" in shown
    assert "slda" not in shown
    assert main(["reproduce", "--profile", "third", "--dry-run"]) == 2
    assert "no experiment has a profile 'third'; known: first, second" in capsys.readouterr().err


@pytest.mark.usefixtures("in_process")
def test_what_experiments_share_is_looked_at_once(scenario, tmp_path, monkeypatch, capsys):
    first = experiment(scenario, "first", "{baseline: ncm}", "{baseline: slda}")
    more = experiment(scenario, "more", "{baseline: slda}", "{baseline: ranpac}", "{baseline: ncm}")
    more.write_text(more.read_text().replace("  more:", "  first:"))
    asked = []

    def watched(configs, **options):
        asked.append([config.baseline.rpartition(".")[2] for config in configs])
        return run_all(configs, **options)

    monkeypatch.setattr("clbench.studies.sweep.run_all", watched)
    line = ["reproduce", str(first), str(more), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 0
    assert asked == [["NCM", "SLDA"], ["RanPAC"]]
    assert "1 run in" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "runs/first/report/more/table.csv")
    assert sorted(table["method"]) == ["ncm", "ranpac", "slda"]


@pytest.mark.usefixtures("in_process")
def test_two_runs_that_differ_do_not_write_one_file(scenario, tmp_path, capsys):
    path = experiment(scenario, "twice", "{baseline: ncm}", "{baseline: ncm, batch_size: 3}")
    line = ["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 2
    assert "two different runs write one result file (NCM on " in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("in_process")
def test_a_finished_run_on_other_data_or_weights_is_not_replaced(scenario, tmp_path, capsys):
    path = experiment(scenario, "once", "{baseline: ncm}")
    line = ["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 0
    (file,) = (tmp_path / "runs").rglob("order*-seed*.json")
    for name in ("data", "encoder"):
        content = json.loads(file.read_text())
        content["provenance"]["fingerprints"][name] = "another"
        file.write_text(json.dumps(content))
        before = file.read_bytes()
        capsys.readouterr()
        assert main(line) == 1
        error = capsys.readouterr().err
        assert f"{file} holds a finished run with another " in error
        assert name in error
        assert file.read_bytes() == before


@pytest.mark.usefixtures("in_process")
def test_a_broken_result_file_is_named_and_the_others_make_the_report(scenario, tmp_path, capsys):
    path = experiment(scenario, "both", "{baseline: ncm}", "{baseline: slda}")
    line = ["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]
    assert main(line) == 0
    files = {each.parent.name: each for each in (tmp_path / "runs").rglob("order*-seed*.json")}
    files["ncm"].write_text("{")
    assert main(line) == 1
    assert f"{files['ncm']} is not a result file" in capsys.readouterr().err
    assert list(pd.read_csv(tmp_path / "runs/both/report/both/table.csv")["method"]) == ["slda"]
    files["slda"].write_text("{")
    assert main(line) == 1
    assert "2 failed" in capsys.readouterr().err
    assert files["ncm"].read_text() == "{"


@pytest.mark.parametrize(
    "changed",
    [
        {"pooling": "cls"},
        {"precision": "bfloat16"},
        {"lr": 0.5},
        {"joint": True},
        {"order": "random:1"},
        {"seed": 1},
        {"batch_size": 3},
        {"weight_decay": 0.1},
    ],
    ids=str,
)
def test_runs_are_refused_exactly_where_they_would_write_the_same_file(changed, scenario, tmp_path):
    plain = {"scenario": str(scenario), "encoder": "tiny", "baseline": "finetune", "tuning": "frozen"}
    runs = [run_config({**plain, "results": str(tmp_path), **each}) for each in ({}, changed)]
    first, second = (prepare(run).path for run in runs)
    with pytest.raises(UserError, match="two different runs") if first == second else nullcontext():
        refuse_shared_places(runs)


def test_runs_begin_in_turn_and_a_search_just_before_its_first_run(tmp_path):
    begun = []

    class Node(SimulatedNodes):
        def start(self, at: int, job: Job) -> None:
            begun.append(at)
            super().start(at, job)

    config = run_config({"scenario": "pydocs-cil", "baseline": "ncm", "results": str(tmp_path)})
    searches = [Job(config, search=True)] * 3
    work = [*searches, *(Job(config, after=after) for after in (1, None, 0, 1, 2))]
    do(work, {}, Node(tmp_path, nodes=1, places=1), Display(work, 1, show=False))
    assert begun == [1, 3, 4, 0, 5, 6, 2, 7]
    begun.clear()
    do(work, {}, Node(tmp_path, nodes=1, places=2), Display(work, 2, show=False))
    assert begun[:2] == [1, 4]  # what waits for a search keeps no worker from others
    assert sorted(begun) == list(range(8))
