"""The declared scenarios against the paper's facts and data, and scenarios declared in YAML."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clbench.cli import main
from clbench.core import citations
from clbench.core.errors import UserError
from clbench.data.scenarios import SCENARIOS, find_scenario
from clbench.data.scenarios.facts import DATASETS
from clbench.data.stream import arrange, load_stream, overlap

DATA = Path(os.environ.get("CLBENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "orders").is_dir(), reason=f"{DATA} is not there; CLBENCH_DATA names the paper's data"
)
PAPERS = [name for name, scenario in SCENARIOS.items() if scenario.source == "folder"]
LENGTHS = {
    "dsc-dil": (10, 2), "20ng-cil": (10, 20), "20ng-cil-single": (10, 20), "glue4-til": (4, 8),
    "r8-cil": (8, 8), "r52-cil": (26, 52), "r52-cil-reference": (26, 32), "r8-iid": (1, 8),
    "20ng-iid": (1, 20),
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
    for name in PAPERS:
        facts = SCENARIOS[name].datasets.values()
        assert all(each.bibtex and set(each.bibtex) <= set(SCENARIOS[name].bibtex) for each in facts)
        assert "diera2024dkvb" in SCENARIOS[name].bibtex


def test_declarations_need_no_heavy_library():
    code = "import sys, clbench.data.scenarios; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert loaded.isdisjoint({"torch", "lightning", "transformers", "datasets", "pandas", "numpy", "pyarrow"})
    assert "clbench.data.scenarios" in loaded


def test_the_papers_scenarios_have_its_experiences_and_columns():
    found = {name: (len(SCENARIOS[name].parts), len(SCENARIOS[name].columns)) for name in PAPERS}
    assert found == LENGTHS


def test_which_scenarios_tell_the_experience():
    assert {name for name in PAPERS if SCENARIOS[name].task_aware} == {"20ng-cil", "glue4-til"}


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
@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_data_is_as_declared(name):
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


def test_an_order_that_there_is_not_is_refused():
    for name, known in (("dsc-dil", "0 to 19"), ("r8-cil", "as declared")):
        for order in ("20", "x", "-1", "random:"):
            with pytest.raises(UserError, match=known):
                arrange(SCENARIOS[name], order)
    drawn = [part.name for part in arrange(SCENARIOS["r8-cil"], "random:3")]
    assert sorted(drawn) == sorted(part.name for part in SCENARIOS["r8-cil"].parts)
    assert drawn == [part.name for part in arrange(SCENARIOS["r8-cil"], "random:3")]


def test_data_of_another_size_is_refused(tmp_path):
    write(tmp_path / "r8", {"train": [("a text", "earn")], "test": [("a text", "earn")]})
    with pytest.raises(UserError, match=r"1 train, 1 test texts.*5485 train, 2189 test"):
        load_stream(SCENARIOS["r8-cil"], SCENARIOS["r8-cil"].protocol, data_dir=tmp_path)


# -- a user's own --------------------------------------------------------------------------------------


def write(folder: Path, splits: dict, keys: tuple = ("text", "label")) -> None:
    folder.mkdir(parents=True)
    for name, rows in splits.items():
        lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def tickets(tmp_path) -> Path:
    rows = [
        (f"the {queue} ticket number {at} from {site}", queue, site)
        for queue in ("billing", "delivery", "login", "refund")
        for site in ("north", "south")
        for at in range(4)
    ]
    write(tmp_path / "tickets", {"train": rows, "test": rows[::2]}, ("body", "queue", "site"))
    return tmp_path


KEYS = "keys: {text: body, label: queue, domain: site}\n"


def declared(folder: Path, text: str):
    path = folder / "mine.yaml"
    path.write_text(text)
    return find_scenario(str(path))


def test_classes_of_a_folder_become_experiences(tickets):
    scenario = declared(tickets, f"kind: class\ndata: tickets\nclasses_per_experience: 2\n{KEYS}")
    assert [part.labels for part in scenario.parts] == [("billing", "delivery"), ("login", "refund")]
    stream = load_stream(scenario, scenario.protocol)
    assert len(stream.experiences[1].splits["test"]) == 8
    assert stream.data["tickets"]["test_texts_in_train"] == 16
    assert overlap({name: stream.experiences[0].splits[name] for name in ("train", "test")}) <= 8


def test_domains_of_a_folder_become_experiences(tickets):
    scenario = declared(tickets, f"kind: domain\ndata: tickets\n{KEYS}")
    assert [part.name for part in scenario.parts] == ["north", "south"]
    assert scenario.columns == ("billing", "delivery", "login", "refund")


def test_folders_become_tasks(tickets):
    write(tickets / "tasks" / "one", {"train": [("a", "x"), ("b", "y")], "test": [("c", "x")]})
    write(tickets / "tasks" / "two", {"train": [("d", "x"), ("e", "z")], "test": [("f", "z")]})
    scenario = declared(tickets, "kind: task\ndata: tasks\nprotocol: {epochs: 3}\n")
    assert scenario.task_aware
    assert scenario.columns == ("one:x", "one:y", "two:x", "two:z")
    assert scenario.protocol.epochs == 3
    assert len(load_stream(scenario, scenario.protocol)) == 2


def test_it_runs(tickets, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tickets / "cache"))
    declared(tickets, f"title: Tickets\nkind: class\ndata: tickets\nclasses_per_experience: 2\n{KEYS}")
    line = ["run", "--scenario", str(tickets / "mine.yaml"), "--baseline", "ncm", "--encoder", "tiny"]
    assert main([*line, "--results", str(tickets / "runs")]) == 0
    content = json.loads((tickets / "runs" / "mine" / "tiny" / "ncm" / "order0-seed0.json").read_text())
    assert content["config"]["title"] == "Tickets"
    assert content["provenance"]["datasets"]["tickets"]["sizes"] == {"train": 32, "test": 16}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: class\n", "the key 'data' is missing"),
        ("kind: klass\ndata: tickets\n", "did you mean 'class'"),
        ("kind: class\ndata: tickets\nlables: [a]\n", "did you mean 'labels'"),
        (f"kind: class\ndata: tickets\nclasses_per_experience: 3\n{KEYS}", "is 3 and must be a divisor of 4"),
        ("kind: class\ndata: tickets\n", "'text' is missing"),
        (f"kind: class\ndata: ticket\n{KEYS}", "did you mean 'tickets'"),
        ("kind: class\ndata: tickets\nkeys: {txt: body}\n", "did you mean 'text'"),
        (f"kind: class\ndata: tickets\nprotocol: {{epoch: 3}}\n{KEYS}", "did you mean 'epochs'"),
        (
            f"kind: class\ndata: tickets\nprotocol: {{epochs: many}}\n{KEYS}",
            "epochs is 'many' and must be a number",
        ),
        ("[", "not YAML"),
    ],
)
def test_a_bad_declaration_is_named(text, expected, tickets):
    with pytest.raises(UserError, match=expected) as error:
        declared(tickets, text)
    assert "\n" not in str(error.value)
