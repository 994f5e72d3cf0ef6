"""Scenarios that a user declares in YAML: what they become."""

import dataclasses
import json

import pytest
from support.own_data import KEYS, declared, write

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.core.scenario import Protocol
from clbench.data.orders import arrange
from clbench.data.scenarios.declaration import ProtocolKeys
from clbench.data.stream import load_stream, overlap


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


def labels_of(scenario) -> list[tuple[str, ...]]:
    return [part.labels for part in scenario.parts]


def test_a_csv_of_two_columns_needs_three_lines(tmp_path):
    rows = "".join(f"ticket {at} of {queue},{queue}\n" for at in range(10) for queue in ("pay", "ship"))
    (tmp_path / "mail.csv").write_text("body,queue\n" + rows)
    scenario = declared(tmp_path, "data: mail.csv\nkeys: {text: body, label: queue}\ntest_share: 0.2\n")
    stream = load_stream(scenario, scenario.protocol)
    names = ("train", "validation", "test")
    assert [[len(each.splits[name]) for name in names] for each in stream.experiences] == [[7, 1, 2]] * 2
    assert stream.data["mail"]["notes"] == [
        "test: 20% of the training texts of each label (4 texts), chosen by seed 0",
        "validation: 10% of the training texts of each class (validation_share)",
    ]


def test_the_last_experience_can_have_fewer_classes(tickets):
    scenario = declared(tickets, f"data: tickets\nclasses_per_experience: 3\n{KEYS}")
    assert labels_of(scenario) == [("billing", "delivery", "login"), ("refund",)]


def test_experiences_of_listed_sizes_and_labels_in_any_order(tickets):
    text = f"data: tickets\nlabels: [refund, login, billing]\nclasses_per_experience: [1, 2]\n{KEYS}"
    scenario = declared(tickets, text)
    assert labels_of(scenario) == [("refund",), ("login", "billing")]
    stream = load_stream(scenario, scenario.protocol)
    assert (
        "train: 8 texts left out, with another label than those declared" in stream.data["tickets"]["notes"]
    )
    assert sum(len(each.splits["test"]) for each in stream.experiences) == 12


def test_a_misspelled_label_is_no_other_label(tickets):
    with (tickets / "tickets" / "train.jsonl").open("a") as file:
        file.write('{"body": "a", "queue": "logn", "site": "north"}\n')
    scenario = declared(tickets, f"data: tickets\nlabels: [refund, login]\n{KEYS}")
    with pytest.raises(UserError, match=r"train\.jsonl, line 33: unknown label 'logn'; did you mean 'login'"):
        load_stream(scenario, scenario.protocol)


def test_a_subset_of_classes_with_like_names(tmp_path):
    rows = [(f"text {at} of {name}", name) for name in ("card_1", "card_2", "card_3") for at in range(3)]
    write(tmp_path / "cards", {"train": rows, "test": rows[::3]})
    scenario = declared(tmp_path, "data: cards\nlabels: [card_1, card_2]\n")
    assert len(load_stream(scenario, scenario.protocol)) == 2


def test_every_value_of_a_protocol_is_a_key():
    assert list(ProtocolKeys.model_fields) == [each.name for each in dataclasses.fields(Protocol)]


def test_many_labels_make_a_short_name(tickets):
    scenario = declared(tickets, f"data: tickets\nclasses_per_experience: 4\n{KEYS}")
    assert [part.name for part in scenario.parts] == ["billing+3 more"]


def test_domains_can_be_a_subset(tickets):
    scenario = declared(
        tickets, f"kind: domain\ndata: tickets\ndomains: [south]\nlabels: [login, refund]\n{KEYS}"
    )
    stream = load_stream(scenario, scenario.protocol)
    assert [part.name for part in scenario.parts] == ["south"]
    assert len(stream.experiences[0].splits["test"]) == 4


def test_a_random_order_of_classes_follows_its_seed(tickets):
    text = f"data: tickets\nclasses_per_experience: 2\norder: random\n{KEYS}"
    orders = {seed: labels_of(declared(tickets, f"{text}seed: {seed}\n")) for seed in range(8)}
    assert orders[0] == labels_of(declared(tickets, text))
    assert len({str(order) for order in orders.values()}) > 3
    assert all(
        sorted(sum(order, ())) == ["billing", "delivery", "login", "refund"] for order in orders.values()
    )
    assert any(
        set(order[0]) not in ({"billing", "delivery"}, {"login", "refund"}) for order in orders.values()
    )


def test_whole_numbers_true_and_no_are_labels(tmp_path):
    for split in ("train", "test"):
        lines = [
            {"text": f"{split} {at} {label}", "label": label}
            for label in (10, 2, True, "no")
            for at in range(9)
        ]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert labels_of(declared(tmp_path, "data: .\n")) == [("2",), ("10",), ("no",), ("true",)]
    assert labels_of(declared(tmp_path, "data: .\nlabels: [true, no, 10]\n")) == [("true",), ("no",), ("10",)]


def test_files_are_tasks_too(tickets):
    (tickets / "tasks").mkdir()
    for name in ("b.csv", "a.csv"):
        (tickets / "tasks" / name).write_text(
            "text,label\n" + "".join(f"{at},{'xy'[at % 2]}\n" for at in range(20))
        )
    scenario = declared(tickets, "kind: task\ndata: tasks\ntest_share: 0.5\n")
    assert [part.name for part in scenario.parts] == ["a", "b"]
    assert len(load_stream(scenario, scenario.protocol)) == 2
    scenario = declared(tickets, "kind: task\ndata: tasks\ntest_share: 0.5\ntasks: [b]\n")
    assert [part.name for part in scenario.parts] == ["b"]


def test_tasks_can_be_named_each_with_its_data(tickets):
    write(tickets / "one", {"train": [("a", "x"), ("b", "y")], "test": [("c", "x")]})
    (tickets / "b").mkdir()
    for split in ("train", "test"):
        (tickets / "b" / f"{split}.csv").write_text("text,label\nd,x\ne,z\n")
    text = "kind: task\ndata: {second: b, 1: one}\n"
    scenario = declared(tickets, text)
    assert [part.name for part in scenario.parts] == ["second", "1"]
    assert scenario.columns == ("second:x", "second:z", "1:x", "1:y")
    assert len(load_stream(scenario, scenario.protocol)) == 2
    chosen = declared(tickets, f"{text}tasks: [1]\n")
    assert [part.name for part in chosen.parts] == ["1"]


def test_no_validation_texts_if_so_declared(tickets):
    scenario = declared(tickets, f"data: tickets\nprotocol: {{validation_share: 0}}\n{KEYS}")
    stream = load_stream(scenario, scenario.protocol)
    assert len(stream.experiences[0].splits["validation"]) == 0
    assert stream.data["tickets"]["notes"] == [
        "no validation texts: there is no such split, and validation_share is 0"
    ]


def test_a_label_of_test_texts_alone_is_named_with_its_line(tickets):
    with (tickets / "tickets" / "test.jsonl").open("a") as file:
        file.write('{"body": "a", "queue": "refunds", "site": "north"}\n')
    scenario = declared(tickets, f"data: tickets\n{KEYS}")
    with pytest.raises(
        UserError, match=r"test\.jsonl, line 17: unknown label 'refunds'; did you mean 'refund'"
    ):
        load_stream(scenario, scenario.protocol)


def test_no_two_orders_of_a_scenario_are_the_same(tickets):
    scenario = declared(tickets, f"data: tickets\n{KEYS}")
    found = [
        tuple(part.name for part in arrange(scenario, order))
        for order in ["0", *(f"random:{s}" for s in range(23))]
    ]
    assert len(set(found)) == 24
