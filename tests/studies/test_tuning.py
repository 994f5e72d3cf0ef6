"""The search for settings: what it looks at, its budget, and what becomes of what it finds."""

import json
from pathlib import Path

import pytest
import yaml

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.data.datamodule import ScenarioDataModule
from clbench.engine.build import prepare
from clbench.engine.parser import run_config
from clbench.engine.registry import baseline_class, baseline_names
from clbench.studies.experiment import read_experiment
from clbench.studies.tuned_values import read_settings, tuned
from clbench.studies.tuning import search, space
from clbench.testing.streams import SCENARIOS, write_texts


@pytest.fixture(autouse=True)
def _scenarios(monkeypatch):
    for module in ("engine.build", "studies.tuning"):
        monkeypatch.setattr(f"clbench.{module}.find_scenario", SCENARIOS.__getitem__)


@pytest.fixture
def data(tmp_path) -> Path:
    write_texts(tmp_path / "data")
    return tmp_path / "data"


def line(data: Path, *more: str) -> list[str]:
    fixed = ["tune", "--scenario", "class", "--encoder", "tiny", "--data-dir", str(data), "--threads", "1"]
    return [*fixed, "--epochs", "1", "--settings", str(data.parent / "settings.yaml"), *more]


def config(data: Path, baseline: str, **more):
    options = {"scenario": "class", "baseline": baseline, "encoder": "tiny", "tuning": "frozen", "epochs": 1}
    return run_config({**options, "data_dir": str(data), "threads": 1, **more})


def test_it_writes_the_best_trial_with_its_provenance_and_experiments_take_it_up(data, capsys):
    assert main(line(data, "--baseline", "ewc", "--tuning", "frozen", "--trials", "4")) == 0
    assert capsys.readouterr().out.count("validation accuracy") == 4
    (entry,) = read_settings(data.parent / "settings.yaml")
    assert set(entry["values"]) <= {"lr", "arguments"}
    found = entry["found"]
    assert found["trials"] == 4
    assert found["experiences"] == 3
    assert found["validation_accuracy"] >= found["with_defaults"]
    assert found["commit"]
    experiment = data.parent / "mine.yaml"
    experiment.write_text(
        "title: mine\nmethods:\n  - {baseline: ewc, tuning: frozen}\n"
        "  - {baseline: ewc, tuning: frozen, lr: 0.123}\n  - {baseline: ewc, tuning: full}\n"
        "profiles:\n  small: {scenarios: [class], settings: settings.yaml, options: {encoder: tiny}}\n"
    )
    frozen, given, full = read_experiment(experiment).runs("small", data.parent, data)
    assert frozen.lr == entry["values"].get("lr")
    assert dict(frozen.arguments).items() >= entry["values"].get("arguments", {}).items()
    assert prepare(frozen, scenario=SCENARIOS["class"]).result.config["method"] == "ewc-frozen"
    assert given.lr == 0.123  # what an experiment sets itself stays
    assert full.lr is None


def test_a_second_search_takes_the_place_of_the_first(data):
    for trials in ("1", "2"):
        assert main(line(data, "--baseline", "l2", "--tuning", "frozen", "--trials", trials)) == 0
    assert main(line(data, "--baseline", "slda", "--trials", "1")) == 0
    entries = read_settings(data.parent / "settings.yaml")
    assert [entry["found"]["trials"] for entry in entries] == [2, 1]


def test_test_texts_are_never_read_nor_those_of_later_experiences(data, monkeypatch):
    def refuse(self):
        raise AssertionError("test texts were read")

    monkeypatch.setattr(ScenarioDataModule, "test_dataloader", refuse)
    names = set()
    original = ScenarioDataModule.texts

    def noting(self, split, prefix):
        names.update(split[:]["experience"])
        return original(self, split, prefix)

    monkeypatch.setattr(ScenarioDataModule, "texts", noting)
    found = search(config(data, "finetune", experiences=2), trials=2)
    assert found.experiences == 2
    assert names == {0, 1}


def test_the_same_seed_finds_the_same_and_every_method_has_the_same_budget(data):
    trials = {"a": [], "b": [], "c": []}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(
            config(data, "ewc", seed=seed), trials=3, on_trial=lambda _, got, n=name: trials[n].append(got)
        )
    assert trials["a"] == trials["b"]
    assert {len(each) for each in trials.values()} == {3}


def test_what_is_given_is_not_searched(data):
    ewc = baseline_class("ewc")
    assert set(space(ewc, config(data, "ewc"))) == {"lr", "strength"}
    assert set(space(ewc, config(data, "ewc", arguments={"strength": 3.0}))) == {"lr"}
    with pytest.raises(UserError, match="no hyperparameter to search"):
        space(ewc, config(data, "ewc", arguments={"strength": 3.0}, lr=0.1))


@pytest.mark.parametrize("name", sorted(baseline_names()))
def test_every_method_says_what_can_be_searched(name):
    baseline = baseline_class(name)
    run = run_config({"scenario": "class-aware", "baseline": name, "encoder": "tiny"})
    ranges = space(baseline, run)
    assert ranges
    for argument, each in ranges.items():
        assert all(isinstance(value, str) for value in each) or 0 < each[0] < each[1], argument


def test_entries_match_on_everything_that_makes_another_method():
    entry = {"encoder": "tiny", "scenario": "class", "baseline": "b", "tuning": "frozen", "joint": False}
    entry |= {"given": {"capacity": 9}, "values": {"lr": 0.5, "arguments": {"alpha": 2.0}}}
    method = {"encoder": "tiny", "scenario": "class", "baseline": "b", "tuning": "frozen"}
    full = {**method, "arguments": {"capacity": 9}}
    expected = {**full, "lr": 0.5, "arguments": {"alpha": 2.0, "capacity": 9}}
    assert tuned([entry], full) == (expected, ("alpha", "lr"))
    for other in (method, {**full, "joint": True}, {**full, "encoder": "minilm"}, {**full, "tuning": "full"}):
        assert tuned([entry], other) == (other, ())


@pytest.mark.parametrize(
    ("content", "expected"),
    [("a: 1", "list"), ("- {encoder: tiny}", "scenario"), ("[", "not YAML")],
)
def test_a_bad_settings_file_is_named(content, expected, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=expected) as error:
        read_settings(path)
    assert "settings.yaml" in str(error.value)
    with pytest.raises(UserError, match="No such file"):
        read_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize("trials", ["0", "-1"])
def test_a_budget_of_nothing_is_refused(trials, data, capsys):
    assert main(line(data, "--baseline", "ewc", "--trials", trials)) == 2
    assert "trials" in capsys.readouterr().err


def test_the_committed_settings_fit_the_methods_as_they_are():
    path = Path(__file__).parents[2] / "experiments" / "settings.yaml"
    entries = read_settings(path)
    assert entries
    budgets = set()
    for entry in entries:
        values = entry["values"]
        arguments = {**values.get("arguments", {}), **entry["given"]}
        options = {"scenario": entry["scenario"], "baseline": entry["baseline"], "arguments": arguments}
        run_config({**options, "tuning": entry["tuning"], "lr": values.get("lr")})
        budgets.add(entry["found"]["trials"])
        assert json.dumps(entry["found"])
    assert len(budgets) == 1  # fair: the same for all
    assert yaml.safe_load(path.read_text())
