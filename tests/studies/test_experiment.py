"""From the file of an experiment to its runs."""

import time
from collections import defaultdict
from pathlib import Path

import pytest

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.data.scenarios.intents import SCENARIOS
from clbench.engine.method import find_method
from clbench.studies.experiment import find_experiment, read_experiment
from clbench.studies.reproduction import applicable

BASE = """
title: two methods
methods:
  - {baseline: ncm}
  - {baseline: finetune, tuning: full, epochs: 4}
  - {baseline: hat, tuning: adapter, scenarios: [20ng-cil]}
profiles:
  quick:
    scenarios: [r8-cil]
    methods: [{baseline: slda}]
  small:
    scenarios: [r8-cil, 20ng-cil]
    orders: [0, "random:1"]
    seeds: [0, 1]
    options: {encoder: tiny, epochs: 9, batch_size: 8}
    scenario_options: {20ng-cil: {epochs: 7, train_per_class: 3}}
    trained: {seeds: [5], options: {epochs: 2, batch_size: 4}}
"""


def written(folder: Path, text: str, name: str = "base"):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def runs(experiment, profile):
    return [
        (run.scenario, run.baseline.rpartition(".")[2], run.order, run.seed, run.epochs, run.batch_size)
        for run in experiment.runs(profile, Path("runs"), None)
    ]


def test_each_method_runs_on_each_scenario_order_and_seed(tmp_path):
    found = runs(read_experiment(written(tmp_path, BASE)), "small")
    axes = [(order, seed) for order in ("0", "random:1") for seed in (0, 1)]
    trained, both = [("0", 5), ("random:1", 5)], ("r8-cil", "20ng-cil")
    assert found == [
        run
        for place, axis in enumerate(axes)
        for run in [
            ("r8-cil", "NCM", *axis, 9, 8),
            ("20ng-cil", "NCM", *axis, 7, 8),
            # The encoder trains: seeds and options of its own; what the method says itself comes first.
            *[(name, "Finetune", *each, 4, 4) for each in trained[place:][:1] for name in both],
            *[("20ng-cil", "HAT", *each, 2, 4) for each in trained[place:][:1]],
        ]
    ]  # fmt: skip


def test_a_scenario_may_have_options_of_its_own(tmp_path):
    found = read_experiment(written(tmp_path, BASE)).runs("small", tmp_path, None)
    for run in found:
        assert run.train_per_class == (3 if run.scenario == "20ng-cil" else None)


def test_a_scenario_may_have_seeds_and_orders_of_its_own(tmp_path):
    text = BASE.replace("{20ng-cil: {", "{20ng-cil: {seeds: [7, 8], orders: [1], ")
    found = runs(read_experiment(written(tmp_path, text)), "small")
    made = {(scenario, name): [] for scenario, name, *_ in found}
    for scenario, name, order, seed, *_ in found:
        made[scenario, name].append((order, seed))
    assert made["20ng-cil", "NCM"] == [("1", 7), ("1", 8)]
    assert made["r8-cil", "NCM"] == [("0", 0), ("0", 1), ("random:1", 0), ("random:1", 1)]
    # What trains the encoder has the profile's seeds for that; the order is still that of the scenario.
    assert made["20ng-cil", "Finetune"] == made["20ng-cil", "HAT"] == [("1", 5)]
    assert made["r8-cil", "Finetune"] == [("0", 5), ("random:1", 5)]


def test_a_profile_may_have_methods_of_its_own(tmp_path):
    assert runs(read_experiment(written(tmp_path, BASE)), "quick") == [("r8-cil", "SLDA", "0", 0, None, None)]


def test_another_table_of_the_same_runs(tmp_path):
    base = read_experiment(written(tmp_path, BASE))
    path = written(tmp_path, "title: costs\nruns_of: base\ntable: [seconds_total]\n", "costs")
    other = read_experiment(path)
    assert other.runs("small", tmp_path, None) == base.runs("small", tmp_path, None)
    assert (other.name, other.title, other.table, base.table) == ("costs", "costs", ("seconds_total",), None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: two methods", "titel: two methods", "unknown key 'titel'; did you mean 'title'"),
        ("title: two methods\n", "", "the key 'title' is missing; it is one line of text"),
        ("seeds: [0, 1]", "seed: [0, 1]", "profiles small: unknown key 'seed'; did you mean 'seeds'"),
        (
            "{seeds: [5], ",
            "{sedes: [5], ",
            "profiles small: trained: unknown key 'sedes'; did you mean",
        ),
        ("    scenarios: [r8-cil]\n", "", "profiles quick: the key 'scenarios' is missing; it is"),
        (
            "{20ng-cil: {e",
            "{20ng: {e",
            "profiles small: unknown scenario of scenario_options '20ng'",
        ),
        ("epochs: 4}", "lr: -1}", "methods 2: lr is -1; expected a number above 0, or a list of them"),
        (
            "[{baseline: slda}]",
            "[{baselin: slda}]",
            "quick: methods 1: the key 'baseline' is missing",
        ),
        ("[{baseline: slda}]", "[slda]", "profiles quick: methods is ['slda']; expected a list of methods"),
        ("[0, 1]", "[0, -1]", "profiles small: seeds is [0, -1]; expected a list of seeds such as [0, 1]"),
        ("{seeds: [5], ", "{seeds: [5, 5], ", "profiles small: trained: seeds has 5 twice"),
        ("{20ng-cil: {", "{20ng-cil: {orders: [1, '1'], ", "scenario_options 20ng-cil: orders has 1 twice"),
        ("{20ng-cil: {", "{20ng-cil: {seeds: 1, ", "scenario_options 20ng-cil: seeds is 1; expected a list"),
        ("{seeds: [5], ", "{seeds: 5, ", "profiles small: trained: seeds is 5; expected a list of seeds"),
        ("  small:", "  ../small:", "profiles has the key '../small': must be one line of"),
        (
            "    scenarios: [r8-cil]\n    m",
            "    scenarios: [r8-cil]\n    1: 2\n    m",
            "quick: unknown key '1'",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(old, new, message, tmp_path):
    assert old in BASE
    path = written(tmp_path, BASE.replace(old, new))
    with pytest.raises(UserError) as error:
        read_experiment(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_scenarios_are_files_from_the_folder_of_the_experiment(tmp_path):
    text = BASE.replace("r8-cil", "mine.yaml").replace("20ng-cil", "sub/other.yaml")
    experiment = read_experiment(written(tmp_path, text))
    mine, other = str(tmp_path / "mine.yaml"), str(tmp_path / "sub/other.yaml")
    assert experiment.profiles["small"]["scenarios"] == [mine, other]
    options = {run[0]: run[4:] for run in runs(experiment, "small") if run[1] == "NCM"}
    assert options == {mine: (9, 8), other: (7, 8)}
    assert {run[0] for run in runs(experiment, "small") if run[1] == "HAT"} == {other}


def test_a_method_that_cannot_learn_a_scenario_is_left_out_with_a_reason():
    path, counts = (find_method(name).path for name in ("ncm", "dkvbcounts"))
    every = [RunConfig(scenario, each) for scenario in ("pydocs-cil", "pydocs-lm") for each in (path, counts)]
    kept, refused = applicable(every)
    assert kept == [every[0], every[3]]
    assert len(refused) == 2
    assert refused[0].startswith("scenario 'pydocs-cil': baseline DKVBCounts learns next tokens")
    assert refused[1].startswith("scenario 'pydocs-lm': baseline NCM learns classes of texts")
    with pytest.raises(UserError, match="learns next tokens"):
        applicable(every[1:2])


def test_an_unknown_profile_is_named(tmp_path):
    with pytest.raises(UserError, match="unknown profile of experiment base 'smal'; did you mean 'small'"):
        read_experiment(written(tmp_path, BASE)).runs("smal", tmp_path, None)


def test_runs_are_configured_in_milliseconds():
    main = find_experiment("main")
    main.runs("quick", Path("runs"), None)  # imports the methods
    begun = time.process_time()
    runs = main.runs("small", Path("runs"), None)
    assert time.process_time() - begun < 0.005 * len(runs)
    assert len(runs) > 200


def test_the_experiments_of_the_current_folder_are_found_and_may_name_the_others(tmp_path, monkeypatch):
    folder = tmp_path / "experiments"
    folder.mkdir()
    written(folder, "title: mine\nruns_of: main\n", "mine")
    written(folder, "title: my own cost table\nruns_of: mine\n", "cost")
    monkeypatch.chdir(tmp_path)
    assert find_experiment("mine").profiles == find_experiment("main").profiles
    assert find_experiment("cost").title == "my own cost table"


def test_a_list_of_learning_rates_is_a_method_for_each(tmp_path):
    text = BASE.replace("{baseline: ncm}", "{baseline: finetune, tuning: frozen, lr: [0.01, 0.3]}")
    found = read_experiment(written(tmp_path, text)).runs("small", tmp_path, None)
    rates = [run.lr for run in found if run.tuning == "frozen" and run.scenario == "r8-cil"]
    assert rates == [0.01, 0.3] * 4


def test_each_method_runs_with_each_encoder(tmp_path):
    text = BASE.replace("options: {encoder: tiny, ", "encoders: [tiny, minilm]\n    options: {")
    text = text.replace("{baseline: ncm}", "{baseline: ncm, encoder: bert-base}")
    found = read_experiment(written(tmp_path, text)).runs("small", tmp_path, None)
    first = [
        run for run in found if run.scenario == "20ng-cil" and (run.order, run.seed) in (("0", 0), ("0", 5))
    ]
    assert [(run.baseline.rpartition(".")[2], run.encoder) for run in first] == [
        ("NCM", "bert-base"), ("Finetune", "tiny"), ("Finetune", "minilm"), ("HAT", "tiny"), ("HAT", "minilm")
    ]  # fmt: skip
    both = BASE.replace("options: {encoder: tiny, ", "encoders: [tiny]\n    options: {encoder: tiny, ")
    with pytest.raises(UserError, match="profiles small: encoders and the option encoder exclude each other"):
        read_experiment(written(tmp_path, both))


def intents(name: str):
    return find_experiment(name).runs("intents", Path("runs"), None)


def test_the_streams_of_intents_are_in_experiments():
    shipped = {run.scenario for name in ("main", "single_head") for run in intents(name)}
    assert shipped == {scenario.name for scenario in SCENARIOS}


def frozen(profile: str):
    return find_experiment("frozen").runs(profile, Path("runs"), None)


def test_frozen_tables_have_a_second_encoder_on_the_same_streams():
    full, both = frozen("full"), frozen("encoders")
    assert {run.encoder for run in full} == {"minilm"}
    for encoder in ("minilm", "smollm2-135m-instruct-q4"):
        streams = {run.scenario for run in both if run.encoder == encoder}
        assert streams == {run.scenario for run in full} - {"hwu64-cil"}


def test_the_full_table_has_published_orders_or_three_seeds_of_every_method_and_tunes_it():
    runs = frozen("full")
    axes = defaultdict(set)
    for run in runs:
        axes[run.scenario].add((run.order, run.seed))
    published = {(order, 0) for order in "012"}
    assert axes["dsc-dil"] == axes["20ng-cil"] == axes["glue4-til"] == published
    assert axes["r8-cil"] == axes["clinc150-cil"] == axes["hwu64-cil"] == {("0", seed) for seed in range(3)}
    assert len(axes) == 9
    untuned = {run.baseline.rpartition(".")[2] for run in runs if run.tune is None}
    assert len({run.baseline for run in runs} - untuned) >= 20
    assert all(run.train_per_class is None and run.test_per_class is None for run in runs)
