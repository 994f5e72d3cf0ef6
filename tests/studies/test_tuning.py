"""The search for hyperparameters: what it looks at, its budget, its record, and who takes its choice."""

import dataclasses
import json
import lzma
from pathlib import Path

import optuna
import pytest
from support.in_process import without_processes
from support.language_runs import write_lines

from clbench.cli import main
from clbench.core.config import Budget
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.data.datamodule import ScenarioDataModule
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.engine.registry import baseline_class, baseline_names
from clbench.engine.shared import Shared
from clbench.methods.dkvb.learner import BottleneckLearner
from clbench.models import feature_budget
from clbench.studies import tuning
from clbench.studies.experiment import read_experiment
from clbench.studies.search_record import SearchRecord, Trial
from clbench.studies.search_space import defaults, space
from clbench.studies.searches import Searches, distinct_searches
from clbench.studies.tuning import search, suggest
from clbench.testing.streams import write_texts


@pytest.fixture
def scenario(tmp_path) -> Path:
    write_texts(tmp_path / "data")
    path = tmp_path / "six.yaml"
    path.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\nprotocol: {max_tokens: 16}\n")
    return path


def config(scenario: Path, baseline: str = "ewc", *, tune: Budget | None = None, **more):
    options = {"scenario": str(scenario), "baseline": baseline, "encoder": "tiny", "tuning": "frozen"}
    options |= {"epochs": 1, "threads": 1, "results": str(scenario.parent / "runs"), **more}
    return dataclasses.replace(run_config(options), tune=tune or Budget(trials=3))


def read(path: Path) -> SearchRecord:
    record = SearchRecord.read(path)
    assert record is not None
    return record


def experiment(scenario: Path, tune: str, *methods: str) -> Path:
    path = scenario.with_name("mine.yaml")
    lines = "".join(f"  - {method}\n" for method in methods)
    path.write_text(
        f"title: mine\nmethods:\n{lines}profiles:\n  small:\n    scenarios: [{scenario}]\n"
        f"    seeds: [3, 4]\n    orders: [random:1, 0]\n    tune: {tune}\n"
        "    options: {encoder: tiny, threads: 1, epochs: 1}\n"
    )
    return path


# One search


def test_test_texts_are_never_read_nor_those_of_later_experiences(scenario, monkeypatch):
    def refuse(self):
        raise AssertionError("test texts were read")

    monkeypatch.setattr(ScenarioDataModule, "test_dataloader", refuse)
    names = set()
    original = ScenarioDataModule.texts

    def noting(self, split, prefix):
        names.update(split[:]["experience"])
        return original(self, split, prefix)

    monkeypatch.setattr(ScenarioDataModule, "texts", noting)
    record = read(search(config(scenario, "finetune", tune=Budget(2, experiences=2))))
    assert record.about["budget"] == {"trials": 2, "experiences": 2}
    assert names == {0, 1}


@pytest.mark.parametrize(("run", "trial", "texts"), [(None, 3, 3), (2, 3, 2), (3, 2, 2), (3, None, 3)])
def test_a_trial_takes_the_smaller_number_of_texts(scenario, run, trial, texts, monkeypatch):
    taken = []

    def noting(prepared, **options):
        taken.append(execute(prepared, **options))
        return taken[-1]

    monkeypatch.setattr(tuning, "execute", noting)
    made = config(scenario, "finetune", tune=Budget(1, None, train_per_class=trial), train_per_class=run)
    record = read(search(made))
    assert record.about["config"]["train_per_class"] == texts
    assert [each["examples"] for each in taken[0].experiences] == [2 * texts] * 3  # of two classes each


def test_trials_do_no_more_than_their_scores_need(scenario, monkeypatch):
    looks = []
    monkeypatch.setattr(BottleneckLearner, "diagnose", lambda *_: pytest.fail("nobody reads it"))
    monkeypatch.setattr(feature_budget.Budget, "_enforce", lambda self, *_: looks.append(self) or 0)
    assert len(read(search(config(scenario, "dkvb", tune=Budget(3)))).trials) == 3
    assert len(looks) == 1


def test_the_first_trial_has_the_defaults_and_the_best_is_chosen(scenario):
    path = search(config(scenario, tune=Budget(4)))
    assert path == scenario.parent / "runs/six/tiny/ewc-frozen/search.json"
    record = read(path)
    ewc = baseline_class("ewc")
    assert record.trials[0].values == defaults(ewc, config(scenario))
    assert record.done
    assert record.best.score == max(each.score for each in record.trials)
    content = json.loads(path.read_text())
    assert content["choice"] == record.best.values
    assert content["provenance"]["commit"]
    assert content["provenance"]["versions"]["optuna"]


def test_of_equal_trials_the_first_is_the_best_and_diverged_ones_are_never():
    trials = tuple(Trial({"lr": lr}, accuracy) for lr, accuracy in ((1, None), (2, 0.5), (3, 0.5), (4, 0.1)))
    record = SearchRecord({"budget": {"trials": 4}, "config": {"kind": "class"}}, {}, trials)
    assert record.best == trials[1]
    assert record.done
    assert not dataclasses.replace(record, trials=trials[:1]).done


def test_of_bits_per_byte_the_least_is_the_best(tmp_path):
    trials = tuple(Trial({"lr": lr}, bits) for lr, bits in ((1, 2.5), (2, None), (3, 1.5), (4, 1.5)))
    record = SearchRecord({"budget": {"trials": 4}, "config": {"kind": "language-model"}}, {}, trials)
    assert record.best == trials[2]
    record.write(tmp_path / "search.json")
    content = json.loads((tmp_path / "search.json").read_text())
    assert [each["bits_per_byte"] for each in content["trials"]] == [2.5, None, 1.5, 1.5]
    assert content["choice"] == {"lr": 3}
    assert read(tmp_path / "search.json") == record


@pytest.mark.parametrize(
    ("baseline", "options"),
    [("finetune", {"tuning": "full"}), ("knnlm", {"tuning": None}), ("dkvbcounts", {"tuning": None})],
)
def test_a_language_model_is_judged_by_bits_per_byte_of_validation_texts(baseline, options, tmp_path):
    write_lines(tmp_path / "data")
    path = tmp_path / "lines.yaml"
    path.write_text(
        f"kind: language-model\ndata: {tmp_path / 'data' / 'lines'}\nprotocol: {{max_tokens: 24}}\n"
    )
    made = config(
        path,
        baseline,
        tune=Budget(2, None),
        encoder="tiny-lm",
        generic_corpus=str(tmp_path / "data" / "general"),
        **options,
    )
    record = read(search(made))
    assert record.measure == "bits_per_byte"
    assert record.about["config"]["split"] == "validation"
    assert record.about["config"]["continuations"] == 0
    assert record.best.score == min(each.score for each in record.trials)
    assert all(0 < each.score < 20 for each in record.trials)


def test_the_same_seed_finds_the_same_and_another_one_something_else(scenario):
    found = [
        read(search(config(scenario, tune=Budget(3, seed=seed), results=str(scenario.parent / name))))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    values = [[(each.values, each.score) for each in record.trials] for record in found]
    assert values[0] == values[1]
    assert values[0][1:] != values[2][1:]
    assert found[0].about == found[1].about


def test_a_search_tells_of_its_encoding(scenario, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(scenario.parent / "cache"))  # one that holds none of the texts
    told = set()
    search(config(scenario, tune=Budget(1)), on_progress=lambda what, done, total: told.add(what))
    assert "encoding with tiny" in told


def test_a_search_that_was_stopped_goes_on_and_ends_alike(scenario, monkeypatch):
    whole = read(search(config(scenario, results=str(scenario.parent / "whole"))))
    made = []
    original = tuning._tried

    def counting(*given):
        made.append(given)
        if len(made) == 3:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(tuning, "_tried", counting)
    with pytest.raises(KeyboardInterrupt):
        search(config(scenario))
    path = scenario.parent / "runs/six/tiny/ewc-frozen/search.json"
    assert len(read(path).trials) == 2
    assert not read(path).done
    record = read(search(config(scenario)))
    assert len(made) == 4  # the one that was stopped is made again, the two before it are not
    assert [(each.values, each.score) for each in record.trials] == [
        (each.values, each.score) for each in whole.trials
    ]
    before = path.read_text()
    search(config(scenario))
    assert len(made) == 4
    assert path.read_text() == before
    search(config(scenario, epochs=2))  # another search: what is known of the first is of no use
    assert len(made) == 7


def test_a_damaged_record_starts_over(scenario):
    path = search(config(scenario))
    first = read(path)
    for damage in ("", "[]", '{"schema": 99}', '{"schema": 1, "about": {}}'):
        path.write_text(damage)
        assert SearchRecord.read(path) is None
        again = read(search(config(scenario)))
        assert [each.score for each in again.trials] == [each.score for each in first.trials]


def test_a_compressed_record_is_found_and_another_one_takes_its_place(scenario, monkeypatch):
    path = search(config(scenario))
    made, packed = read(path), path.with_name("search.json.xz")
    packed.write_bytes(lzma.compress(path.read_bytes()))
    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "_tried", None)  # nothing is searched again
        assert search(config(scenario)) == packed
    assert Searches(Shared()).find(config(scenario)) == (packed, made)
    assert search(config(scenario, tune=Budget(4))) == path
    assert not packed.exists()


def test_a_diverged_trial_counts_as_the_worst(scenario, monkeypatch):
    def diverging(run, **_):
        if run.learner.lr != 0.01:
            raise FloatingPointError("inf")
        return execute(run)

    monkeypatch.setattr(tuning, "execute", diverging)
    record = read(search(config(scenario)))
    assert [each.score is None for each in record.trials] == [False, True, True]
    assert record.best == record.trials[0]
    _diverge_all(monkeypatch)
    with pytest.raises(UserError, match="all 2 trials of the search diverged"):
        search(config(scenario, "finetune", tune=Budget(2)))


def _diverge_all(monkeypatch):
    def diverging(run, **_):
        raise FloatingPointError("inf")

    monkeypatch.setattr(tuning, "execute", diverging)


def test_what_is_given_is_not_searched(scenario):
    ewc = baseline_class("ewc")
    assert set(space(ewc.info, config(scenario))) == {"lr", "strength"}
    assert set(space(ewc.info, config(scenario, arguments={"strength": 3.0}))) == {"lr"}
    both = config(scenario, arguments={"strength": 3.0}, lr=0.1)
    assert space(ewc.info, both) == {}
    with pytest.raises(UserError, match="no hyperparameter to search"):
        search(both)


@pytest.mark.parametrize(
    ("baseline", "options", "lowest", "highest"),
    [
        ("finetune", {"tuning": "frozen"}, 1e-2 / 300, 1e-2 * 30),
        ("owm", {"tuning": "frozen"}, 1 / 300, 30),
        ("finetune", {"tuning": "frozen", "head": "cnn"}, 1e-3 / 30, 1e-3 * 30),
        ("finetune", {"tuning": "full"}, 1e-4 / 30, 1e-4 * 30),
        ("dkvb", {}, 0.3 / 30, 0.3 * 30),
    ],
)
def test_the_rate_of_a_linear_layer_on_frozen_features_is_searched_further_down(
    baseline, options, lowest, highest, scenario
):
    run = config(scenario, **{"baseline": baseline, "tuning": None, **options})
    assert space(baseline_class(baseline).info, run)["lr"] == pytest.approx((lowest, highest))


@pytest.mark.parametrize(
    ("arguments", "searched"),
    [
        ({}, True),
        ({"variant": "default", "lifetime": None, "keys": 64}, True),
        ({"variant": "reference"}, False),
        ({"decoder": "parametric"}, False),
        ({"optimizer": "sgd"}, False),
    ],
)
def test_the_optimizer_of_dkvb_is_searched_where_nothing_else_decides_it(arguments, searched, scenario):
    run = config(scenario, baseline="dkvb", arguments=arguments)
    assert set(space(baseline_class("dkvb").info, run)) == ({"lr", "optimizer"} if searched else {"lr"})


@pytest.mark.parametrize("name", sorted(baseline_names()))
def test_every_method_says_what_can_be_searched(name):
    baseline = baseline_class(name)
    given = {"scenario": "class-aware", "baseline": name, "encoder": "tiny"}
    run = run_config(given)
    ranges, own = space(baseline.info, run), defaults(baseline, run)
    assert ranges or name == "frozenlm"  # it has nothing that could be searched
    for argument, each in ranges.items():
        assert all(isinstance(value, str) for value in each) or 0 < each[0] < each[1], argument
        if own[argument] is None:  # the method chooses by itself
            continue
        inside = own[argument] in each if isinstance(each[0], str) else each[0] <= own[argument] <= each[1]
        assert inside, f"the default of {argument} is not in its range"
    drawn = suggest(optuna.create_study().ask(), ranges)
    arguments = {key: value for key, value in drawn.items() if key != "lr"}
    chosen = run_config({**given, "arguments": arguments})  # which checks their types
    assert dict(chosen.arguments) == arguments


# An experiment


EWC, GIVEN, NOTHING = (
    "{baseline: ewc, tuning: frozen}",
    "{baseline: ewc, tuning: frozen, lr: 0.123}",
    "{baseline: ewc, tuning: frozen, lr: 0.2, arguments: {strength: 7}}",
)


def test_each_method_has_one_search_on_the_first_order_and_seed(scenario):
    path = experiment(scenario, "{trials: 5, experiences: all}", EWC, GIVEN, NOTHING)
    runs = read_experiment(path).runs("small", scenario.parent, None)
    assert len(runs) == 3 * 4
    assert [run.tune for run in runs if run.lr == 0.2] == [None] * 4
    assert {run.tune for run in runs if run.lr != 0.2} == {Budget(5, None, "random:1", 3)}
    ewc, given = distinct_searches(runs)
    assert (ewc.lr, given.lr) == (None, 0.123)
    assert {(each.order, each.seed) for each in (ewc, given)} == {("random:1", 3)}


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ("{trial: 3}", ": tune: unknown key 'trial'; did you mean 'trials'"),
        ("{trials: 0}", ": tune: trials is 0; expected a whole number of at least 1"),
        ("{trials: all}", ": tune: trials is 'all'; expected a whole number of at least 1"),
        ("{experiences: few}", ": tune: experiences is 'few'; expected a whole number of at least 1, or all"),
        ("16", ": tune is 16; expected a mapping such as {trials: 16}"),
    ],
)
def test_what_is_wrong_in_a_budget_is_named(scenario, tune, message):
    with pytest.raises(UserError) as error:
        read_experiment(experiment(scenario, tune, EWC))
    assert f"profiles small{message}" in str(error.value)


def reproduced(path: Path, folder: Path, workers: int = 1) -> dict[str, dict]:
    """Result files and records after a sweep, as far as they are about what was computed."""
    line = ["reproduce", str(path), "--workers", str(workers), "--results", str(folder)]
    assert main(line) == 0
    found = {}
    for file in sorted(folder.rglob("*.json")):
        if "page" in file.parts:
            continue
        content = json.loads(file.read_text())
        if file.name == "search.json":
            content = [content["about"], content["choice"], [each["accuracy"] for each in content["trials"]]]
        else:
            source = content["provenance"].get("search", {})
            content = [content["config"], content["confusion"], source.get("trials"), source.get("choice")]
        found[str(file.relative_to(folder))] = content
    return found


METHODS = (EWC, NOTHING, "{baseline: slda}", "{baseline: finetune, tuning: frozen}")


def test_runs_take_the_choice_and_say_how_it_was_made(scenario, tmp_path, monkeypatch, capsys):
    without_processes(monkeypatch)
    path = experiment(scenario, "{trials: 3, experiences: 2}", *METHODS)
    found = reproduced(path, tmp_path / "runs")
    assert "16 runs after 3 searches" in capsys.readouterr().out
    folder = tmp_path / "runs/small/six/tiny"
    for method in ("ewc-frozen", "slda", "finetune-frozen"):
        record = read(folder / method / "search.json")
        files = sorted((folder / method).glob("order*.json"))
        assert len(files) == 4
        for file in files:
            result = RunResult.read(file)
            config = result.config
            values = {**config["arguments"], "lr": config["lr"]}
            assert values.items() >= record.best.values.items()
            assert config["tuned"] == sorted(record.best.values)
            assert config["split"] == "test"
            source = result.provenance["search"]
            assert source["budget"] == {"trials": 3, "experiences": 2}
            assert (source["order"], source["seed"], source["split"]) == ("random:1", 3, "validation")
            assert source["choice"] == record.best.values
            expected = [{**each.values, "accuracy": each.score} for each in record.trials]
            assert source["trials"] == expected
    given = folder / "ewc-frozen-strength=7.0-lr=0.2"
    assert not (given / "search.json").exists()
    assert "search" not in RunResult.read(given / "order0-seed3.json").provenance
    monkeypatch.setattr(tuning, "_tried", None)  # nothing is searched again
    assert reproduced(path, tmp_path / "runs") == found
    assert "0 run in" in capsys.readouterr().out


def test_a_dry_run_counts_searches(scenario, tmp_path, monkeypatch, capsys):
    without_processes(monkeypatch)
    path = experiment(scenario, "{trials: 2, experiences: 2}", EWC, NOTHING)
    line = ["reproduce", str(path), "--results", str(tmp_path / "runs")]
    assert main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "to run  six ewc-frozen search of 2 trials" in shown
    assert "0 done, 9 left" in shown
    assert not (tmp_path / "runs").exists()
    assert main(line) == 0
    capsys.readouterr()
    assert main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "done    six ewc-frozen search of 2 trials" in shown
    assert "9 done, 0 left" in shown
    (record,) = (tmp_path / "runs").rglob("search.json")
    SearchRecord(read(record).about, {}, read(record).trials[:1]).write(record)
    assert main([*line, "--dry-run"]) == 0
    assert "stopped six ewc-frozen search of 2 trials" in capsys.readouterr().out


def test_a_failed_search_fails_its_runs_and_no_others(scenario, tmp_path, monkeypatch, capsys):
    without_processes(monkeypatch)
    _diverge_all(monkeypatch)
    path = experiment(scenario, "{trials: 2, experiences: 2}", EWC, NOTHING)
    assert main(["reproduce", str(path), "--workers", "1", "--results", str(tmp_path / "runs")]) == 1
    captured = capsys.readouterr()
    assert "4 run in" in captured.out
    assert "4 failed" in captured.out
    assert captured.err.count("its search failed: UserError: all 2 trials of the search diverged") == 4


def test_one_worker_and_two_search_alike(scenario, tmp_path):
    path = experiment(scenario, "{trials: 3, experiences: 2}", *METHODS)
    one, two = (reproduced(path, tmp_path / str(workers), workers) for workers in (1, 2))
    assert len(one) == 16 + 3
    assert one == two


# The command


def test_the_command_writes_the_record_that_an_experiment_takes(scenario, tmp_path, monkeypatch, capsys):
    without_processes(monkeypatch)
    line = ["tune", "--scenario", str(scenario), "--encoder", "tiny", "--threads", "1", "--epochs", "1"]
    line += [
        "--baseline",
        "ewc",
        "--tuning",
        "frozen",
        "--trials",
        "3",
        "--results",
        str(tmp_path / "runs/small"),
    ]
    assert main([*line, "--experiences", "2", "--seed", "3", "--order", "random:1"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("validation accuracy") == 3
    assert "--lr " in shown
    assert "--baseline.strength " in shown
    monkeypatch.setattr(tuning, "_tried", None)
    reproduced(experiment(scenario, "{trials: 3, experiences: 2}", EWC), tmp_path / "runs")
    assert "4 run in" in capsys.readouterr().out


@pytest.mark.parametrize("trials", ["0", "-1"])
def test_a_budget_of_nothing_is_refused(trials, scenario, capsys):
    line = ["tune", "--scenario", str(scenario), "--encoder", "tiny", "--baseline", "ewc", "--trials", trials]
    assert main(line) == 2
    assert "trials" in capsys.readouterr().err


def test_a_search_of_other_texts_is_not_taken(scenario):
    run = config(scenario)
    search(run)
    assert Searches(Shared()).find(run)[1].done
    for other in (config(scenario, batch_size=3), config(scenario, tune=Budget(4)), config(scenario, lr=0.5)):
        assert Searches(Shared()).find(other) is None
    texts = scenario.parent / "data/six/train.jsonl"
    texts.write_text(texts.read_text().replace("the", "a"))
    assert Searches(Shared()).find(run) is None
