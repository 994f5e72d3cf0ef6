"""The declared scenarios against the paper's facts and data."""

import collections
import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest
from support.paper_data import DATA, needs_data

from clbench.core import citations
from clbench.core.errors import UserError
from clbench.data.orders import arrange
from clbench.data.scenarios import SCENARIOS
from clbench.data.scenarios.facts import DATASETS
from clbench.data.stream import load_stream

ON_DATA = [name for name, scenario in SCENARIOS.items() if scenario.source == "folder"]
PAPERS = [name for name in ON_DATA if "diera2024dkvb" in SCENARIOS[name].bibtex]
LENGTHS = {
    "dsc-dil": (10, 2), "20ng-cil": (10, 20), "20ng-cil-single": (10, 20), "glue4-til": (4, 8),
    "r8-cil": (8, 8), "r52-cil": (26, 52), "r52-cil-reference": (26, 32), "r8-iid": (1, 8),
    "20ng-iid": (1, 20), "clinc150-cil": (15, 150), "clinc150-domains": (10, 150), "banking77-cil": (7, 77),
    "hwu64-cil": (18, 64), "hwu64-dil": (7, 2), "intents-til": (3, 291),
    "dsc-lm": (10, 1), "20ng-lm": (10, 1), "clinc150-cil-30": (30, 150), "clinc150-cil-75": (75, 150),
    "clinc150-cil-150": (150, 150), "dsc-dil-20": (20, 2), "dsc-dil-50": (50, 2), "dsc-dil-100": (100, 2),
    "20ng-dil": (4, 4), "20ng-dil-16": (16, 4), "drift-none": (10, 150), "drift-typos": (10, 150),
    "drift-casing": (10, 150), "drift-truncation": (10, 150), "drift-domains": (10, 2),
    "drift-encoder": (10, 150),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_says_whom_to_cite_and_under_what_terms(name):
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert scenario.title
    assert scenario.citation
    assert scenario.license
    assert scenario.bibtex
    assert set(scenario.bibtex) <= citations.entries().keys()


def test_scenarios_cite_the_papers_of_their_data_and_protocol():
    assert SCENARIOS["dsc-dil"].bibtex == ("diera2024dkvb", "ke2021ctr", "ke2020kan", "mcauley2015image")
    assert {"dolan2005mrpc", "iyer2017qqp", "socher2013sst", "wang2019glue"} <= set(
        SCENARIOS["glue4-til"].bibtex
    )
    assert len(PAPERS) == 9
    for name in ON_DATA:
        facts = SCENARIOS[name].datasets.values()
        assert all(each.bibtex and set(each.bibtex) <= set(SCENARIOS[name].bibtex) for each in facts)


def test_declarations_need_no_heavy_library():
    code = "import sys, clbench.data.scenarios; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert loaded.isdisjoint({"torch", "lightning", "transformers", "datasets", "pandas", "numpy", "pyarrow"})
    assert "clbench.data.scenarios" in loaded


def test_scenarios_have_the_declared_experiences_and_columns():
    found = {name: (len(SCENARIOS[name].parts), len(SCENARIOS[name].columns)) for name in ON_DATA}
    assert found == LENGTHS


def test_which_scenarios_tell_the_experience():
    aware = {name for name in ON_DATA if SCENARIOS[name].task_aware}
    assert aware == {"20ng-cil", "glue4-til", "intents-til"}


def test_the_reference_pairs_of_r52_are_those_of_the_public_code():
    parts = SCENARIOS["r52-cil-reference"].parts
    uses = collections.Counter(label for part in parts for label in part.labels)
    assert len(uses) == 32
    assert sum(count > 1 for count in uses.values()) == 13
    labels = sorted(DATASETS["r52"].labels)
    assert parts[0].labels == (labels[24], labels[49])
    assert parts[-1].labels == (labels[32], labels[40])


def test_the_pairs_of_r52_are_disjoint():
    uses = collections.Counter(label for part in SCENARIOS["r52-cil"].parts for label in part.labels)
    assert set(uses.values()) == {1}


@needs_data
@pytest.mark.parametrize(("file", "name"), [("dsc", "dsc-dil"), ("20ng", "20ng-cil"), ("glue4", "glue4-til")])
def test_orders_are_the_published_ones(file, name):
    lines = [
        line.split() for line in (DATA / "orders" / f"{file}.txt").read_text().splitlines() if line.strip()
    ]
    scenario = SCENARIOS[name]
    found = [[part.name for part in arrange(scenario, at)] for at in range(len(scenario.orders))]
    assert found == lines


@needs_data
@pytest.mark.parametrize("name", ON_DATA)
def test_the_data_is_as_declared(name):
    scenario = SCENARIOS[name]
    stream = load_stream(scenario, scenario.protocol, data_dir=DATA)
    assert len(stream) == LENGTHS[name][0]
    for dataset, found in stream.data.items():
        assert found["version"] is not None, (dataset, found)
    kept = {column for each in stream.experiences for column in each.splits["test"]["column"]}
    assert kept == set(range(len(scenario.columns)))  # every column is tested


@needs_data
def test_overlaps_of_train_and_test_are_counted():
    counts = {}
    for name in ("r8-cil", "r52-cil", "glue4-til"):
        stream = load_stream(SCENARIOS[name], SCENARIOS[name].protocol, data_dir=DATA)
        counts |= {dataset: found["test_texts_in_train"] for dataset, found in stream.data.items()}
    assert counts == {"r8": 4, "r52": 6, "rte": 0, "mrpc": 0, "qqp": 1, "sst2": 0}  # of the data's own notes


@needs_data
def test_the_domains_of_clinc150_are_the_authors():
    content = json.loads((DATA / "orders" / "clinc150_domains.json").read_text())
    parts = SCENARIOS["clinc150-domains"].parts
    assert [(part.name, list(part.labels)) for part in parts] == list(content.items())


def test_orders_of_intents_are_drawn_with_the_seeds_0_to_4():
    sizes = {"clinc150-cil": 10, "clinc150-cil-30": 5, "clinc150-cil-75": 2, "clinc150-cil-150": 1}
    for name, size in (*sizes.items(), ("banking77-cil", 11)):
        scenario = SCENARIOS[name]
        for seed in range(5):
            labels = [label for part in arrange(scenario, seed) for label in part.labels]
            expected = sorted(
                scenario.columns,
                key=lambda label, seed=seed: hashlib.blake2b(
                    f"{seed}.0/{label}".encode(), digest_size=16
                ).digest(),
            )
            assert labels == expected
        assert {len(part.labels) for part in arrange(scenario, 3)} == {size}
        with pytest.raises(UserError, match=r"0 to 4 \(published\)"):
            arrange(scenario, 5)


def test_the_scenarios_of_hwu64_are_in_its_labels():
    parts = SCENARIOS["hwu64-cil"].parts
    assert all(label.startswith(f"{part.name}_") for part in parts for label in part.labels)
    assert sum(len(part.labels) for part in parts) == len(DATASETS["hwu64"].labels)
    assert (min(len(part.labels) for part in parts), max(len(part.labels) for part in parts)) == (1, 10)


def test_questions_and_commands_are_made_of_intents():
    scenario = SCENARIOS["hwu64-dil"]
    assert set(scenario.columns) == {"question", "command"}
    asked = {label for label, name in scenario.classes.items() if name == "question"}
    assert asked == {label for label in scenario.classes if "query" in label} | {"transport_traffic"}
    assert all(
        {scenario.classes[label] for label in part.labels} == set(scenario.columns) for part in scenario.parts
    )


@needs_data
def test_a_class_of_several_labels_is_limited_as_one():
    protocol = dataclasses.replace(SCENARIOS["hwu64-dil"].protocol, train_per_class=20)
    stream = load_stream(SCENARIOS["hwu64-dil"], protocol, data_dir=DATA)
    counts = collections.Counter(stream.experiences[2].splits["train"]["column"])
    assert set(counts.values()) == {20}


def test_data_of_another_size_is_refused(tmp_path):
    (tmp_path / "r8").mkdir()
    for split in ("train", "test"):
        (tmp_path / "r8" / f"{split}.jsonl").write_text('{"text": "a text", "label": "earn"}')
    with pytest.raises(UserError, match=r"1 train, 1 test texts.*5485 train, 2189 test"):
        load_stream(SCENARIOS["r8-cil"], SCENARIOS["r8-cil"].protocol, data_dir=tmp_path)
